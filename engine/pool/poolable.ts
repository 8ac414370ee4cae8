/** What a pool needs of a connection; it knows nothing else of it. */
import type { ReuseBlocker } from '../common/reuse-blocker.js'

export interface Poolable {
  /**
   * It is not in use from here on, and does not keep the process alive. `onUnfit` is called once if it becomes unfit:
   * at an end, a failure, and any byte. Returns why it cannot be parked; then nothing has changed.
   */
  park(onUnfit: (why: ReuseBlocker) => void): ReuseBlocker | undefined
  /** It is about to be used, and keeps the process alive. Returns why it cannot be used. */
  checkout(): ReuseBlocker | undefined
  /** Ends gracefully: what was sent leaves. Settles when it is over, and does not reject. */
  close(): Promise<unknown>
  /** Ends at once. */
  destroy(reason?: Error): void
}
