/** What the suite needs to know about a transport, and how its parts declare their tests. */
import type { ExecutionContext } from 'ava'
import type {
  ClosedInfo,
  ConnectionHandler,
  ConnectionInfo,
  EndpointObject,
  Engine,
  EngineOptions,
  Listener,
  TransportErrorCode,
  TransportOptions,
} from '../../api/index.js'
import type { World } from './contract-world.js'

export interface ContractEndpoint {
  /** Where to listen, and where to connect to unless `dialled` says otherwise. */
  readonly endpoint: string
  /** What to connect to instead, for one connection; call `onThere` once the listening side has it. */
  readonly dialled?: (onThere: () => void) => EndpointObject
  /** The file that an open listener has; undefined where there is none. */
  readonly socketFile: string | undefined
  remove(): Promise<void>
}

export interface ContractTransport {
  /** `info.kind` of its connections. */
  readonly kind: string
  /**
   * For a transport that cannot listen: the kind of the transport that listens for it, whose own suite tests listeners.
   * Default: its own.
   */
  readonly listenerKind?: string
  /** True: a connection costs a process, so tests of many make fewer. Default false. */
  readonly costly?: boolean
  /** True: `close()` is bounded by the time limits of the process, not by `closeTimeoutMs`. Default false. */
  readonly endsProcess?: boolean
  /** The value of `closed` for a dialled connection that has ended cleanly. Default: `{code: 'OK'}`. */
  readonly cleanEnd?: ClosedInfo
  /** False: the platform does not have it, and its tests are skipped. */
  readonly supported: boolean
  /** Whether a side that has ended can still get an answer. Without half-close, tests of that are skipped. */
  readonly halfClose: boolean
  /** False: the platform lets a second listener open an endpoint that is in use. Default true. */
  readonly exclusive?: boolean
  /**
   * False: the system keeps no peers waiting to be connected: one that comes to a full backlog is cut instead of trying
   * again. Default true.
   */
  readonly waitsWhenFull?: boolean
  /**
   * True: while connections of a closed listener live, connect() waits until its timeout, as for a busy listener.
   * Default false.
   */
  readonly lingers?: boolean
  /**
   * The error code of connecting to an endpoint that never had a listener; undefined: connecting starts the peer.
   */
  readonly noListener: TransportErrorCode | undefined
  /** What carries the frames of its connections: `info.memory`. Default: it says nothing of that. */
  readonly memory?: ConnectionInfo['memory']
  /**
   * True: a connection is there only once the listening side has shaken hands, so one that waits in the backlog is not.
   * Default false.
   */
  readonly shakesHands?: boolean
  /** Options of all its transports, unless a test gives others. */
  readonly options?: TransportOptions
  /** More options, of the dialling side alone. */
  readonly dialOptions?: TransportOptions
  /** Of the engine, which its owner closes; the default one otherwise. */
  readonly createEngine?: (options: EngineOptions) => Promise<Engine>
  /** How to listen, if not by a transport of the engine that dials. */
  readonly listen?: (endpoint: string, options: TransportOptions, handler?: ConnectionHandler) => Promise<Listener>
  /** An unused endpoint. */
  makeEndpoint(): Promise<ContractEndpoint>
}

export type ContractTest = (title: string, body: (t: ExecutionContext, world: World) => Promise<void>) => void

export interface Contract {
  readonly transport: ContractTransport
  readonly test: ContractTest
  /** A test that is skipped unless this holds of the transport. */
  readonly testIf: (applies: boolean) => ContractTest
}
