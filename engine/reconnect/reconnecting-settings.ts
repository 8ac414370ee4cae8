/** What a reconnecting connection is made with, and what it reports. The API layer has validated all of it. */
import type { TransportErrorCode } from '../protocol/errors.js'
import type { Frame } from '../common/frame.js'
import type { Framing } from '../protocol/framing.js'
import type { HandlerFailures } from '../common/handler-failures.js'
import type { Clock } from '../protocol/clock.js'
import type { WaitOptions } from '../protocol/waiter.js'
import type { BackoffSettings } from '../common/backoff.js'
import type { Breaker } from './breaker.js'
import type { ClosedInfo, Connection } from '../common/connection.js'
import type { DeliveryReport } from '../common/delivery-report.js'

/** What became of one connection's frames. It comes between its last frame received and the next connection's first. */
export interface LossReport {
  /** Which connection was lost, counted from 1; 0: there was none, and frames never left. */
  readonly connection: number
  /** How it ended: 'OK' if the peer ended it. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
  /** True: the reconnecting connection is over, and nothing follows. */
  readonly isFinal: boolean
  /** Frames of this connection that the operating system took: whether the peer has read them is not known. */
  readonly handedOver: number
  /** The last of those, oldest first, as far as `retainBytes` reaches. */
  readonly retained: readonly Buffer[]
  /** Frames in the hands of a write that did not report back: the peer may have received them. Never sent again. */
  readonly unconfirmed: readonly Buffer[]
  /** Frames that were not sent and go out first on the next connection, in order. */
  readonly resent: number
  /** Frames that were not sent and will not be: `unsent: 'drop'`, or nothing follows. Oldest first. */
  readonly dropped: readonly Buffer[]
  /** Frames that were not sent, and could not be kept for lack of memory. Almost always 0. */
  readonly lost: number
  /** Frames that came and were dropped unread, because too many connections were lost while none were read. */
  readonly unreadDropped: number
}

/** What `onConnected` gets besides the connection. */
export interface ConnectedInfo {
  /** Which attempt since the last stable connection, counted from 1. */
  readonly attempt: number
  /** Whether there was no connection before. */
  readonly isFirst: boolean
  /** What became of the frames of the connection before. */
  readonly loss: LossReport | undefined
  /** Aborted when the reconnecting connection is closed or the time is over. */
  readonly signal: AbortSignal
}

export interface HeartbeatSettings {
  /** Milliseconds of silence after which the peer is asked, or, with `isPong`, between a pong and the next ping. */
  readonly intervalMs: number
  /** Milliseconds within which it has to send something. */
  readonly timeoutMs: number
  /** The frame to ask with. Undefined: nothing is asked, the peer speaks by itself. */
  readonly ping: (() => Frame) | undefined
  /** Which frames answer a ping; they are not given to the reader. Undefined: any frame is a sign of life. */
  readonly isPong: ((frame: Buffer) => boolean) | undefined
}

/** A connection that says what became of its frames. Reconnecting connections know no more of it, nor of transports. */
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

export interface ReconnectingSettings<C extends TrackedConnection> {
  /** `engine.id`, for observers. */
  readonly engine: string
  readonly endpoint: string
  readonly kind: string
  readonly halfClose: boolean
  readonly dial: (options: WaitOptions) => Promise<C>
  readonly breaker: Breaker | undefined
  readonly framing: Framing
  readonly maxFrameBytes: number
  readonly maxPendingBytes: number
  readonly connectTimeoutMs: number
  readonly closeTimeoutMs: number
  readonly backoff: BackoffSettings
  /** Attempts since the last stable connection; Infinity: no limit. */
  readonly maxAttempts: number
  /** Milliseconds since the last stable connection; Infinity: no limit. */
  readonly maxElapsedMs: number
  /** Milliseconds that a connection must last to count as stable. */
  readonly stableMs: number
  readonly firstConnect: 'wait' | 'fail-fast'
  readonly unsent: 'resend' | 'drop'
  readonly heartbeat: HeartbeatSettings | undefined
  readonly onConnected: ((connection: C, info: ConnectedInfo) => unknown) | undefined
  readonly onLoss: ((report: LossReport) => unknown) | undefined
  /** For failures of these functions, of subscribers, and of listeners of states. */
  readonly failures: HandlerFailures
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** Whether the process stays alive for this connection. */
  readonly keepAlive: (on: boolean) => void
  /** Called once, before `closed` settles. */
  readonly onClosed: (ending: ClosedInfo) => void
}
