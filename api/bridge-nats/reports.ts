/** What bridges report. */
import type { TransportErrorCode } from '../../engine/protocol/errors.js'

/** What became of the frames of one connection, once it is over. */
export interface ConnectionReport {
  /** Unique, the same at both bridges. */
  readonly id: string
  /** 'OK' after a clean end on both sides, otherwise the code of what ended it. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
  /**
   * Frames from the local connection that the operating system at the other side took, as the other bridge has said.
   * Together with `unconfirmed` and `unsent` these are all frames that the bridge took from the local connection.
   */
  readonly handedOver: number
  /** Frames from the local connection that were published, and whose receipt was not heard of. */
  readonly unconfirmed: number
  /** Frames from the local connection that were never published. */
  readonly unsent: number
  /** Frames that came over NATS for the local connection, each counted once. */
  readonly received: number
  /** Of those, how many the operating system here took. */
  readonly delivered: number
}

/** Whether a frame may be missing. */
export function isLoss({ code, unconfirmed, unsent, received, delivered }: ConnectionReport): boolean {
  return code !== 'OK' || unconfirmed + unsent > 0 || received > delivered
}
