/**
 * How main waits for replies: asleep, or awake for a while. Awake, it saves a wake-up, and takes the time of a CPU that
 * another thread may need. Main's doorbell asks the strategy and knows no policy of its own; shards always sleep.
 */
import type { PendingReply } from '../connection/lane-host.js'

export interface WakeStrategy {
  /** A flush has gone out: how long main is to stay awake for its reply, in milliseconds. 0: it sleeps. */
  onSend(reply: PendingReply): number
  /** The reply has come while main was awake for it. */
  onReply(reply: PendingReply): void
  /** It has not. */
  onMiss(reply: PendingReply): void
  /** Whether main may sleep once the reply is there. */
  readonly endsWithReply: boolean
}
