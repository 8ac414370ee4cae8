import type { FramingSpec } from '../protocol/framing.js'
import type { HandlerFailures } from '../common/handler-failures.js'
import type { HopTrace } from '../common/hop-trace.js'
import type { Clock } from '../protocol/clock.js'
import type { Traffic } from '../common/traffic.js'
import type { DeliveryTracking } from './delivery-tracker.js'

/** What a connection is made with; the API layer has validated all of it. */
export interface ConnectionSettings {
  /** `engine.id`, for observers. */
  readonly engine: string
  readonly framing: FramingSpec
  readonly maxFrameBytes: number
  readonly maxPendingBytes: number
  readonly maxRingBytes: number
  /** Undefined: a frame may take as long as it likes. */
  readonly frameTimeoutMs: number | undefined
  readonly closeTimeoutMs: number
  readonly allowHalfOpen: boolean
  /** `never`: main leaves every write to the shard, and every read. */
  readonly inlineWrites: 'auto' | 'never'
  /** Most bytes that main writes to the socket itself, in one write. */
  readonly inlineWriteBytes: number
  /**
   * For reconnecting connections: the connection reports what became of each frame (`delivery`), and closes once its
   * peer has ended or does not read any more. Undefined: it does neither, and pays for neither.
   */
  readonly tracking?: DeliveryTracking | undefined
  /** Where failures of the host's functions are reported. */
  readonly failures: HandlerFailures
  /** The connection is over, and a handler is not done with what it has received: resolves when it is. */
  readonly onOutlived: (done: Promise<void>) => void
  /** Called each time that a send has found no room. Undefined: nobody counts. */
  readonly onFull?: (() => void) | undefined
  /** Where frames are counted, for all connections of the engine. Undefined: nobody counts. */
  readonly traffic?: Traffic | undefined
  /** What its deadlines go by. */
  readonly clock: Clock
  /** Undefined: its hops are not traced. */
  readonly hops?: HopTrace | undefined
}
