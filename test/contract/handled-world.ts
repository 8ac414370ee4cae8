/** Remembers what one test opens around a handler module, and closes it when the test ends, whatever its result. */
import {
  createEngine,
  type Connection,
  type Engine,
  type EngineOptions,
  type HandlerListener,
  type RemoteFunctions,
  type TransportOptions,
  type Transport,
} from '../../api/index.js'
import type { CommandedApi, Serving } from '../fixtures/handlers/commanded.js'
import type { FailureBook } from '../helpers/failure-book.js'
import type { ContractEndpoint, ContractTransport } from './contract.js'

const module = new URL('../fixtures/handlers/commanded.js', import.meta.url)

export interface Commanded {
  readonly place: ContractEndpoint
  /** Both listens and connects. */
  readonly transport: Transport
  readonly listener: HandlerListener<CommandedApi>
  /** Of the first shard. */
  readonly api: RemoteFunctions<CommandedApi>
}

interface CommandOptions {
  readonly place?: ContractEndpoint
  readonly engine?: Engine
  readonly options?: TransportOptions
}

export class HandledWorld {
  readonly engine: Engine
  readonly failures: FailureBook
  readonly #transport: ContractTransport
  readonly #engines: Engine[] = []
  readonly #endpoints: ContractEndpoint[] = []
  readonly #listeners: HandlerListener<CommandedApi>[] = []
  readonly #connections: Connection[] = []

  constructor(transport: ContractTransport, engine: Engine, failures: FailureBook) {
    this.#transport = transport
    this.engine = engine
    this.failures = failures
  }

  async endpoint(): Promise<ContractEndpoint> {
    const place = await this.#transport.makeEndpoint()
    this.#endpoints.push(place)
    return place
  }

  async newEngine(options: EngineOptions = {}): Promise<Engine> {
    const engine = await createEngine({ shards: 1, ...options })
    this.#engines.push(engine)
    return engine
  }

  async serve(
    serving: Serving,
    { place, engine = this.engine, options = {} }: CommandOptions = {},
  ): Promise<Commanded> {
    const at = place ?? (await this.endpoint())
    const transport = engine.transport(at.endpoint, options)
    const listener = await transport.listen<CommandedApi>({ handler: module, data: serving })
    this.#listeners.push(listener)
    const [handler] = listener.handlers
    if (handler === undefined) throw new Error('the module serves on no shard')
    return { place: at, transport, listener, api: handler.api }
  }

  async connect(transport: Transport): Promise<Connection> {
    const connection = await transport.connect()
    this.#connections.push(connection)
    return connection
  }

  async cleanUp(): Promise<void> {
    for (const connection of this.#connections) connection.destroy()
    await Promise.all(this.#connections.map((connection) => connection.closed))
    await Promise.all(this.#listeners.map((listener) => listener.close()))
    await Promise.all(this.#engines.map((engine) => engine.close({ graceMs: 0 })))
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.remove()))
  }
}
