import type { FramingSpec } from '../shared/framing.js'
import type { Clock } from '../shared/waiter.js'

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
  /** What its deadlines go by. */
  readonly clock: Clock
}
