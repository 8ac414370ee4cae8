/** One connection that this shard dials and serves itself. Its module is set up before the dial. */
import type { ServedDialRequest } from '../../engine/protocol/control.js'
import type { HandlerEnd } from '../../engine/protocol/handling.js'
import type { Wire } from '../wire.js'
import { dialWithRetry } from '../dial-with-retry.js'
import type { Dialling, MainSide } from '../shard-transport.js'
import { diallerFor } from '../transports/transport-registry.js'
import type { HandlerReports } from './handler-reports.js'
import { ServedModule, type ServingEnvironment } from './served-module.js'

export class ServedDial {
  readonly #request: ServedDialRequest
  readonly #environment: ServingEnvironment
  readonly #module: ServedModule
  #dialling: Dialling | undefined

  constructor(request: ServedDialRequest, environment: ServingEnvironment, reports: HandlerReports) {
    this.#request = request
    this.#environment = environment
    const { handling, target } = request
    this.#module = new ServedModule({ handling, transport: target.kind, role: 'dialled', reports }, environment)
  }

  /** Resolves with the connection's id. Rejects as `ServedModule.setUp()`, or as the dial failed. */
  async dial(main: MainSide): Promise<string> {
    await this.#module.setUp()
    const { target, timeoutMs } = this.#request
    const lane = this.#module.takeLane()
    const dialler = diallerFor(target)
    const dialling = dialWithRetry(() => dialler.dial(target, lane.end, main), timeoutMs, this.#environment.clock)
    this.#dialling = dialling
    let wire: Wire
    try {
      wire = await dialling.connected
    } catch (error) {
      this.#module.abandon(lane)
      throw error
    } finally {
      this.#dialling = undefined
    }
    return this.#module.serve(lane, wire, () => this.#module.close()).info.id
  }

  /** Gives up a dial that is under way; tells the module that the connection is to end. */
  close(): Promise<void> {
    this.#module.close()
    this.#dialling?.abort()
    return Promise.resolve()
  }

  settle(): Promise<void> {
    return this.#module.settle()
  }

  /** Resolves once the connection has ended and the module was torn down. */
  async end(end: HandlerEnd): Promise<void> {
    if (end.how !== 'drain') await this.close()
    await this.#module.end(end)
  }
}
