/** What one test opens, remembered so that the test's end closes it, however it ended. */
import {
  createEngine,
  type Connection,
  type ConnectionHandler,
  type Engine,
  type EngineOptions,
  type Listener,
  type Transport,
  type TransportOptions,
} from '../../api/index.js'
import type { ContractEndpoint, ContractTransport } from './contract.js'

export interface Pair {
  readonly dialled: Connection
  readonly accepted: Connection
  readonly listener: Listener
  /** The transport that the dialling side used. */
  readonly transport: Transport
}

export interface PairOptions {
  readonly engine?: Engine
  readonly dial?: TransportOptions
  readonly accept?: TransportOptions
}

export class World {
  readonly engine: Engine
  readonly #transport: ContractTransport
  readonly #engines: Engine[] = []
  readonly #endpoints: ContractEndpoint[] = []
  readonly #listeners: Listener[] = []
  readonly #connections: Connection[] = []

  constructor(transport: ContractTransport, engine: Engine) {
    this.#transport = transport
    this.engine = engine
  }

  async endpoint(): Promise<ContractEndpoint> {
    const endpoint = await this.#transport.makeEndpoint()
    this.#endpoints.push(endpoint)
    return endpoint
  }

  async newEngine(options: EngineOptions = {}): Promise<Engine> {
    const engine = await createEngine({ shards: 1, ...options })
    this.#engines.push(engine)
    return engine
  }

  /** A transport on an endpoint of its own. */
  async transport(options: TransportOptions = {}): Promise<Transport> {
    const { endpoint } = await this.endpoint()
    return this.engine.transport(endpoint, { ...this.#transport.options, ...options })
  }

  async listen(transport: Transport, handler?: ConnectionHandler): Promise<Listener> {
    const listener = await transport.listen(
      handler === undefined
        ? undefined
        : (connection) => {
            this.keep(connection)
            return handler(connection)
          },
    )
    this.#listeners.push(listener)
    return listener
  }

  async connect(transport: Transport): Promise<Connection> {
    return this.keep(await transport.connect())
  }

  keep(connection: Connection): Connection {
    this.#connections.push(connection)
    return connection
  }

  /** Both ends of one connection, and the listener that it came through. */
  async pair(options: PairOptions = {}): Promise<Pair> {
    const { endpoint } = await this.endpoint()
    const engine = options.engine ?? this.engine
    const { options: common } = this.#transport
    const listener = await this.listen(engine.transport(endpoint, { ...common, ...options.accept }))
    const transport = engine.transport(endpoint, { ...common, ...options.dial })
    const [dialled, accepted] = await Promise.all([this.connect(transport), this.next(listener)])
    return { dialled, accepted, listener, transport }
  }

  /** The next connection of a listener that has no callback. */
  async next(listener: Listener): Promise<Connection> {
    for await (const connection of listener) return this.keep(connection)
    throw new Error('the listener closed')
  }

  /** Everything that was sent leaves, and the peer learns that it was all: without half-close only closing says so. */
  async finish(connection: Connection): Promise<void> {
    if (this.#transport.halfClose) await connection.end()
    else await connection.close()
  }

  async cleanUp(): Promise<void> {
    for (const connection of this.#connections) connection.destroy()
    await Promise.all(this.#connections.map((connection) => connection.closed))
    await Promise.all(this.#listeners.map((listener) => listener.close()))
    await Promise.all(this.#engines.map((engine) => engine.close({ graceMs: 0 })))
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.remove()))
  }
}
