/**
 * The adaptive wake strategy: main stays awake for the reply to its own send, as long as replies come while it does.
 *
 * A reply that does not come in time costs CPU that other threads may have needed, and if all CPUs are busy, staying
 * awake is often why it is late. So each miss doubles the number of sends for which the connection sleeps, and a series
 * of hits halves it. Only the side that dialled stays awake: with both awake, each would take the CPU of the other's
 * shard. See docs/decisions/wake-policy.md for what was measured.
 */
import type { PendingReply } from '../connection/lane-host.js'
import type { WakeStrategy } from './wake-strategy.js'

/** A reply that takes longer gains little from an awake thread. */
const AWAKE_MS = 0.3
/** The most sends for which a connection sleeps after a miss. */
const MOST_ASLEEP = 1_024
/** Hits in a row that halve that number. */
const HITS_TO_HALVE = 64

export class AwakeWhilePaying implements WakeStrategy {
  readonly endsWithReply = true

  onSend(reply: PendingReply): number {
    if (!reply.dialled) return 0
    if (reply.sleeps === 0) return AWAKE_MS
    reply.sleeps--
    return 0
  }

  onReply(reply: PendingReply): void {
    if (++reply.hits % HITS_TO_HALVE === 0) reply.penalty >>= 1
  }

  onMiss(reply: PendingReply): void {
    reply.hits = 0
    reply.penalty = Math.min(Math.max(1, reply.penalty * 2), MOST_ASLEEP)
    reply.sleeps = reply.penalty
  }
}
