/**
 * What a reconnecting link needs of the connections that carry it. It knows no more of them, and nothing of transports.
 */
import type { ClosedInfo } from '../common/connection.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import type { Frame } from '../common/frame.js'
import type { WaitOptions } from '../protocol/waiter.js'

export interface CarrierInfo {
  readonly shard: number
  readonly framesSent: number
  /** Epoch milliseconds. */
  readonly lastActivityAt: number
  /** Of a child process. */
  readonly pid?: number
}

export interface Carrier {
  readonly info: CarrierInfo
  readonly pendingBytes: number
  /** Settles once I/O is finished. What was received stays readable. */
  readonly closed: Promise<ClosedInfo>
  /** Settles before `closed`. */
  readonly delivery: Promise<DeliveryReport>
  /** Resolves once no frame will come any more and all that came were taken. */
  readonly exhausted: Promise<void>
  send(frame: Frame): boolean
  ready(options?: WaitOptions): Promise<void>
  /** The next frame, if one is there. */
  take(): Buffer | undefined
  subscribe(handler: (frame: Buffer) => unknown, options?: { readonly borrow?: boolean | undefined }): () => void
  end(options?: WaitOptions): Promise<void>
  close(): Promise<ClosedInfo>
  /** Ends at once; what was received is dropped. */
  destroy(reason?: Error): void
  /** Ends at once; what was received stays readable. */
  cut(error: Error): unknown
  unref(): unknown
}
