import type { FramingSpec } from '../shared/framing.js'
import type { Clock } from '../shared/waiter.js'
import type { SalvageSettings } from './salvage.js'

/** What a connection is made with; the API layer has validated all of it. */
export interface LinkOptions {
  readonly framing: FramingSpec
  readonly maxFrameBytes: number
  readonly maxPendingBytes: number
  readonly maxRingBytes: number
  /** Undefined: a frame may take as long as it likes. */
  readonly frameTimeoutMs: number | undefined
  readonly closeTimeoutMs: number
  readonly allowHalfOpen: boolean
  /**
   * The connection tells what became of each frame (`fate`), and is over once its peer has ended or does not read any more,
   * read or unread: for those who connect again. Undefined: it does neither, and pays for neither.
   */
  readonly salvage?: SalvageSettings | undefined
  /** What its deadlines go by. */
  readonly clock: Clock
}
