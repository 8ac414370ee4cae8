/** What the suite needs to know about a transport, and how its parts declare their tests. */
import type { ExecutionContext } from 'ava'
import type { ClosedInfo, EndpointObject, TransportErrorCode, TransportOptions } from '../../api/index.js'
import type { World } from './world.js'

export interface ContractEndpoint {
  /** Where to listen, and where to connect to unless `dialled` says otherwise. */
  readonly endpoint: string
  /** What one connection is made to instead; `onThere`: the listening side has it. */
  readonly dialled?: (onThere: () => void) => EndpointObject
  /** The file that an open listener has; undefined where there is none. */
  readonly socketFile: string | undefined
  remove(): Promise<void>
}

export interface ContractTransport {
  /** `info.kind` of its connections. */
  readonly kind: string
  /**
   * Where it cannot be listened on: the kind of the transport that listens for it, whose own suite asks about
   * listeners. Default: its own.
   */
  readonly listenerKind?: string
  /** True: a connection costs a process, so tests of many make fewer. Default false. */
  readonly costly?: boolean
  /** True: `close()` is bounded by times of the process's, not by `closeTimeoutMs`. Default false. */
  readonly endsProcess?: boolean
  /** What `closed` says of a dialled connection that has ended well. Default: `{code: 'OK'}`. */
  readonly cleanEnd?: ClosedInfo
  /** False: the platform does not have it, and its tests are skipped. */
  readonly supported: boolean
  /** Whether a side that has ended can still be answered: tests of that are skipped where there is no half-close. */
  readonly halfClose: boolean
  /** False: the platform lets a second listener have an endpoint that is taken. Default true. */
  readonly exclusive?: boolean
  /**
   * False: the system keeps no peers waiting to be connected: one that comes to a full backlog is cut instead of trying
   * again. Default true.
   */
  readonly waitsWhenFull?: boolean
  /**
   * True: while connections of a closed listener live, whoever connects there waits until the timeout, as for a
   * listener that is busy. Default false.
   */
  readonly lingers?: boolean
  /**
   * What connecting to an endpoint that nobody has ever listened on gives; undefined: what is connected to is started.
   */
  readonly noListener: TransportErrorCode | undefined
  /** Of all its transports, where a test does not say otherwise. */
  readonly options?: TransportOptions
  /** An endpoint that nobody else uses. */
  makeEndpoint(): Promise<ContractEndpoint>
}

export type ContractTest = (title: string, body: (t: ExecutionContext, world: World) => Promise<void>) => void

export interface Contract {
  readonly transport: ContractTransport
  readonly test: ContractTest
  /** A test that is skipped unless this holds of the transport. */
  readonly testIf: (applies: boolean) => ContractTest
}
