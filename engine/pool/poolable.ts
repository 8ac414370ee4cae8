/** What a pool needs of a connection. Nothing else of it is known here. */
import type { ReuseBlocker } from '../common/reuse-blocker.js'

export interface Poolable {
  /**
   * Nobody uses it from here on, and it does not keep the process alive. The pool is told once if it becomes unfit: at
   * an end, a failure, and any byte. Returns why it cannot rest; then nothing has changed.
   */
  park(onUnfit: (why: ReuseBlocker) => void): ReuseBlocker | undefined
  /** Somebody is about to use it: ends its rest, and keeps the process alive. Returns why it cannot be used. */
  checkout(): ReuseBlocker | undefined
  /** Ends gracefully: what was sent leaves. Settles when it is over, and does not reject. */
  close(): Promise<unknown>
  /** Ends at once. */
  destroy(reason?: Error): void
}
