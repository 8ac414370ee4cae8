/** Waits for replies in the way that brings them soonest: main asleep, main awake, or the shard awake as well. */
import type { PendingReply } from '../connection/lane-host.js'
import type { WakeStrategy } from './doorbell.js'
import { TwoArmedBandit, type WaitChoice } from './two-armed-bandit.js'

const AWAKE_MS = 1
/** Times awake in a row without a reply after which a connection gives up. */
const MISSES_BEFORE_REST = 8
/** A connection that has given up tries again once in so many flushes. */
const PROBE_EVERY = 64

const mainWays: WaitChoice<'spins' | 'sleeps'> = {
  first: 'spins',
  second: 'sleeps',
  margins: { spins: 1.25, sleeps: 1.25 },
  trial: { ignored: 2, replies: 16, weight: 0.3 },
}

/**
 * With two threads awake the system takes some time to settle which CPU runs which. And against an engine at the other
 * end, which needs the CPUs too, most replies then come in half the time and some in ten times as much, which a few
 * replies cannot show. Against a peer with one thread it is 2 to 4 times as good, and must stay better at all.
 */
const shardWays: WaitChoice<'sleeps' | 'stays awake'> = {
  first: 'sleeps',
  second: 'stays awake',
  margins: { sleeps: 1, 'stays awake': 1.6 },
  trial: { ignored: 16, replies: 64, weight: 1 },
}

export class SpinTuner implements WakeStrategy {
  readonly endsWithReply = true
  readonly #main = new TwoArmedBandit(mainWays)
  readonly #shard = new TwoArmedBandit(shardWays)

  awaits(reply: PendingReply): boolean {
    return reply.dialled && (reply.misses < MISSES_BEFORE_REST || ++reply.skipped % PROBE_EVERY === 0)
  }

  get awakeMs(): number | undefined {
    return this.#main.way === 'spins' ? AWAKE_MS : undefined
  }

  get shardsStayAwake(): boolean {
    // Two trials at a time would show nothing.
    if (this.#main.isTrying && this.#shard.isTrying) return false
    return this.#main.way === 'spins' && this.#shard.way === 'stays awake'
  }

  onReply(wasAwake: boolean, ms: number): void {
    // The way has changed since the flush.
    if (wasAwake !== (this.#main.way === 'spins')) return
    const shardCounts = wasAwake && !this.#main.isTrying
    // A trial of the one says nothing about the other.
    if (!shardCounts || !this.#shard.isTrying) this.#main.record(ms)
    if (shardCounts) this.#shard.record(ms)
  }
}
