/** One connection that this shard dials and serves itself. Its module is set up before the dial. */
import type { LaneConnection } from '../../engine/connection/lane-connection.js'
import type { ServedDialRequest } from '../../engine/protocol/control.js'
import type { HandlerEnd } from '../../engine/protocol/handling.js'
import type { Wire } from '../wire.js'
import { dialWithRetry } from '../dial-with-retry.js'
import type { MainSide } from '../shard-transport.js'
import { diallerFor } from '../transports/transport-registry.js'
import type { HandlerReports } from './handler-reports.js'
import { ServedModule, type ServedLane, type ServingEnvironment } from './served-module.js'

const nothing = (): void => undefined

export class ServedDial {
  readonly #request: ServedDialRequest
  readonly #environment: ServingEnvironment
  readonly #module: ServedModule
  /** Gives up what is under way. */
  #stop = nothing

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
    this.#stop = () => dialling.abort()
    let wire: Wire
    try {
      wire = await dialling.connected
    } catch (error) {
      this.#module.abandon(lane)
      throw error
    } finally {
      this.#stop = nothing
    }
    const { handshake } = this.#request.handling
    const connection =
      handshake === undefined ? this.#module.connect(lane, wire) : await this.#shake(lane, wire, handshake.memory)
    this.#module.serve(connection, () => this.#module.close())
    return connection.info.id
  }

  async #shake(served: ServedLane, wire: Wire, memory: 'socket' | 'shared'): Promise<LaneConnection> {
    const lane = this.#module.beginHandshake(served, wire)
    this.#stop = () => lane.destroy()
    // It was given up as it connected.
    if (!this.#module.isOpen) lane.destroy()
    try {
      return await this.#module.shake(lane, memory)
    } finally {
      this.#stop = nothing
    }
  }

  /** Gives up a dial that is under way; tells the module that the connection is to end. */
  close(): Promise<void> {
    this.#module.close()
    this.#stop()
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
