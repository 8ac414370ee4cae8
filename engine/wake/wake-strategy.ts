/**
 * How main waits for replies: asleep, or awake for a while. Awake, it saves a wake-up, and takes the time of a CPU that
 * another thread may need. Main's doorbell asks the strategy and knows no policy of its own; shards always sleep.
 */
import type { PendingReply } from '../connection/lane-host.js'

export interface WakeStrategy {
  /** Whether it goes by the replies of this connection. If not, it is told nothing of them. */
  wants(reply: PendingReply): boolean
  /**
   * A flush has gone out: how long main is to stay awake for its reply, in milliseconds. 0: it sleeps. `now`:
   * milliseconds.
   */
  onSend(reply: PendingReply, now: number): number
  /** A reply has come so many milliseconds after its flush, whether main was awake or not. */
  onReply(reply: PendingReply, ms: number, now: number): void
  /** Main has stayed awake for as long as it was to, and there was no reply. It may still come. */
  onMiss(reply: PendingReply): void
  /** Whether main may sleep once the reply is there. */
  readonly endsWithReply: boolean
}
