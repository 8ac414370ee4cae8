/** What bridges between frames and messages report and count. */
import type { TransportErrorCode } from '../../engine/protocol/errors.js'

/** What became of the frames of one connection, once it is over. Together the three counts are all of them. */
export interface PublishReport {
  /** 'OK' after a clean end, otherwise the code of what ended it. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
  /** Messages that the server has confirmed to have; with `jetstream`, that they are in the stream. */
  readonly handedOver: number
  /** They were published, and the server was lost before it confirmed. Without `jetstream` never published again. */
  readonly unconfirmed: number
  /** They were never published. */
  readonly unsent: number
}

export interface PublishStats {
  /** Whether there is a connection to NATS now. */
  readonly nats: 'up' | 'down' | 'closed'
  /** How often it came back. */
  readonly reconnects: number
  readonly connections: { readonly open: number; readonly ended: number; readonly refused: number }
  /** As in a report, over all connections. */
  readonly frames: {
    readonly handedOver: number
    /** Published, and not confirmed yet. */
    readonly onTheWay: number
    readonly unconfirmed: number
    readonly unsent: number
    /** With `jetstream`: the stream had them already when they were published again. */
    readonly duplicates: number
  }
}

export interface SubscribeStats {
  /** Whether there is a connection to NATS now. */
  readonly nats: 'up' | 'down' | 'closed'
  /** How often it came back. */
  readonly reconnects: number
  readonly connections: {
    readonly open: number
    readonly ended: number
    readonly refused: number
    /** Of those that have ended, how many read too slowly. */
    readonly slow: number
  }
  readonly messages: {
    readonly received: number
    /** Of those, how many at least one connection was given. */
    readonly delivered: number
    /** Nobody was connected, or no connection can carry them. */
    readonly dropped: number
    /** With `durable`: they came again, and were acknowledged again. */
    readonly duplicates: number
  }
}
