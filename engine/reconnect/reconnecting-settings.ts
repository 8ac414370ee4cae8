/** What a reconnecting link is made with, and what it tells. The API layer has validated all of it. */
import type { TransportErrorCode } from '../protocol/errors.js'
import type { Frame } from '../common/frame.js'
import type { FramingKind } from '../protocol/framing.js'
import type { HandlerFailures } from '../common/handler-failures.js'
import type { Clock } from '../protocol/clock.js'
import type { WaitOptions } from '../protocol/waiter.js'
import type { BackoffSettings } from '../common/backoff.js'
import type { Breaker } from './breaker.js'
import type { ClosedInfo } from '../common/connection.js'
import type { TrackedConnection } from './tracked-connection.js'

/**
 * What became of the frames of one connection, told in order with the frames received: after the last one from that
 * connection was taken and before the first one from the next.
 */
export interface LossReport {
  /** Which connection was lost, counted from 1; 0: there was none, and the link ends with frames that never left. */
  readonly connection: number
  /** How it ended: 'OK' if the peer ended it. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
  /** True: the link is over, and nothing follows. */
  readonly isFinal: boolean
  /** Frames of this connection that the operating system took: nobody can say whether the peer read them. */
  readonly handedOver: number
  /** The last of those, oldest first, as far as `retainBytes` reaches. */
  readonly retained: readonly Buffer[]
  /** Frames in the hands of a write that did not report back: the peer may have received them. Never sent again. */
  readonly unconfirmed: readonly Buffer[]
  /** Frames that were not sent and go out first on the next connection, in order. */
  readonly resent: number
  /** Frames that were not sent and will not be: `unsent: 'drop'`, or the link is over. Oldest first. */
  readonly dropped: readonly Buffer[]
  /**
   * Frames that were not sent, and for whose bytes there was no memory when the connection was lost. Almost always 0.
   */
  readonly lost: number
  /**
   * Frames received and taken by nobody that were dropped, because too many connections were lost while nobody read.
   */
  readonly unreadDropped: number
}

/** What `onConnected` is told besides the connection. */
export interface ConnectedInfo {
  /** Which attempt since the link was last stable, counted from 1. */
  readonly attempt: number
  /** Whether the link was never connected before. */
  readonly isFirst: boolean
  /** What became of the frames of the connection before. */
  readonly loss: LossReport | undefined
  /** Aborted when the link is closed or the time is over. */
  readonly signal: AbortSignal
}

export interface HeartbeatSettings {
  /** Milliseconds of silence after which the peer is asked, or, with `isPong`, between a pong and the next ping. */
  readonly intervalMs: number
  /** Milliseconds within which it has to say something. */
  readonly timeoutMs: number
  /** The frame to ask with. Undefined: nothing is asked, the peer speaks by itself. */
  readonly ping: (() => Frame) | undefined
  /** Which frames answer a ping; they are not given to the reader. Undefined: any frame is a sign of life. */
  readonly isPong: ((frame: Buffer) => boolean) | undefined
}

export interface ReconnectingSettings<C extends TrackedConnection> {
  readonly endpoint: string
  readonly kind: string
  readonly halfClose: boolean
  readonly dial: (options: WaitOptions) => Promise<C>
  readonly breaker: Breaker | undefined
  readonly framing: FramingKind
  readonly maxFrameBytes: number
  readonly maxPendingBytes: number
  readonly connectTimeoutMs: number
  readonly closeTimeoutMs: number
  readonly backoff: BackoffSettings
  /** Attempts since the link was last stable; Infinity: no limit. */
  readonly maxAttempts: number
  /** Milliseconds since the link was last stable; Infinity: no limit. */
  readonly maxElapsedMs: number
  /** Milliseconds that a connection must last to count as stable. */
  readonly stableMs: number
  readonly firstConnect: 'wait' | 'fail-fast'
  readonly unsent: 'resend' | 'drop'
  readonly heartbeat: HeartbeatSettings | undefined
  readonly onConnected: ((connection: C, info: ConnectedInfo) => unknown) | undefined
  readonly onLoss: ((report: LossReport) => unknown) | undefined
  /** Told when one of these functions fails, a subscriber, or a listener of states. */
  readonly failures: HandlerFailures
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** Whether the process stays alive for this link. */
  readonly keepAlive: (on: boolean) => void
  /** Called once, before `closed` settles. */
  readonly onClosed: (ending: ClosedInfo) => void
}
