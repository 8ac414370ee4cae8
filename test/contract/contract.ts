/** What the suite needs to know about a transport, and how its parts declare their tests. */
import type { ExecutionContext } from 'ava'
import type { TransportErrorCode, TransportOptions } from '../../api/index.js'
import type { World } from './world.js'

export interface ContractEndpoint {
  readonly endpoint: string
  /** The file that an open listener has; undefined where there is none. */
  readonly socketFile: string | undefined
  remove(): Promise<void>
}

export interface ContractTransport {
  /** `info.kind` of its connections. */
  readonly kind: string
  /** False: the platform does not have it, and its tests are skipped. */
  readonly supported: boolean
  /** What connecting to an endpoint that nobody has ever listened on gives. */
  readonly nobody: TransportErrorCode
  /** Of all its transports, where a test does not say otherwise. */
  readonly options?: TransportOptions
  /** An endpoint that nobody else uses. */
  makeEndpoint(): Promise<ContractEndpoint>
}

export interface Contract {
  readonly transport: ContractTransport
  readonly test: (title: string, body: (t: ExecutionContext, world: World) => Promise<void>) => void
}
