/** How main waits for a reply: asleep, or awake for a while. */
import type { PendingReply } from '../connection/lane-host.js'

export interface WakeStrategy {
  /** A flush has gone out: whether its reply is waited for, and reported. */
  awaits(reply: PendingReply): boolean
  /** How long main stays awake for a reply from now on, in milliseconds; undefined: it sleeps. */
  readonly awakeMs: number | undefined
  /** Whether main may sleep once the reply is there. */
  readonly endsWithReply: boolean
  /** A reply that was waited for has come `ms` after its flush. */
  onReply(wasAwake: boolean, ms: number): void
  /** Whether shards stay awake for main's next flush. */
  readonly shardsStayAwake: boolean
}
