/** A connection that says what became of its frames. Reconnecting connections know no more of it, nor of transports. */
import type { Connection } from '../common/connection.js'
import type { DeliveryReport } from '../common/delivery-report.js'

export interface TrackedConnection extends Connection {
  /** Settles before `closed`. */
  readonly delivery: Promise<DeliveryReport>
  /** Resolves once no frame will come any more and all that came were taken. */
  readonly exhausted: Promise<void>
  /** The next frame, if one is there. */
  take(): Buffer | undefined
  /** Ends at once; what was received stays readable. */
  cut(error: Error): unknown
}
