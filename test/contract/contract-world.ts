/** Remembers what one test opens, and closes it when the test ends, whatever its result. */
import {
  createEngine,
  type Connection,
  type ConnectionHandler,
  type Engine,
  type EngineOptions,
  type Listener,
  type TransportOptions,
  type WaitOptions,
} from '../../api/index.js'
import { FailureBook, type HandlerFailure } from '../helpers/failure-book.js'
import { signal, turns } from '../helpers/turns.js'
import type { ContractEndpoint, ContractTransport } from './contract.js'

/** Both sides of an endpoint. They may be written differently; if they are the same, this is a transport. */
export interface Meeting {
  /** Of the listening side, as text. */
  readonly endpoint: string
  listen(handler?: ConnectionHandler): Promise<Listener>
  connect(options?: WaitOptions): Promise<Connection>
}

export interface Pair {
  readonly dialled: Connection
  readonly accepted: Connection
}

export interface PairOptions {
  /** Of the engine that both ends are in; its default otherwise. */
  readonly maxRingBytes?: number
  readonly dial?: TransportOptions
  readonly accept?: TransportOptions
}

interface EngineChoice {
  readonly engine?: Engine
}

/** Makes pairs through listeners that outlast a test. */
export interface Matchmaker {
  pair(options: PairOptions): Promise<Pair>
}

/** Where failures of handlers are told. */
export interface Failures {
  take(): HandlerFailure[] | Promise<HandlerFailure[]>
}

export class World {
  readonly engine: Engine
  readonly #failures: Failures
  readonly #transport: ContractTransport
  readonly #pairs: Matchmaker | undefined
  readonly #engines: Engine[] = []
  readonly #endpoints: ContractEndpoint[] = []
  readonly #listeners: Listener[] = []
  readonly #connections: Connection[] = []

  /** `failures`: of handlers, as `engine` tells them. */
  constructor(
    transport: ContractTransport,
    engine: Engine,
    failures: Failures = new FailureBook(),
    pairs?: Matchmaker,
  ) {
    this.#failures = failures
    this.#pairs = pairs
    this.#transport = transport
    this.engine = engine
  }

  /** Failures of handlers since the test began or last asked; waits until there are so many. */
  async takeFailures(atLeast = 0): Promise<HandlerFailure[]> {
    const taken = await this.#failures.take()
    while (taken.length < atLeast) {
      await turns()
      taken.push(...(await this.#failures.take()))
    }
    return taken
  }

  async endpoint(): Promise<ContractEndpoint> {
    const endpoint = await this.#transport.makeEndpoint()
    this.#endpoints.push(endpoint)
    return endpoint
  }

  async newEngine(options: EngineOptions = {}): Promise<Engine> {
    const { createEngine: create = createEngine } = this.#transport
    const engine = await create({ shards: 1, ...options })
    this.#engines.push(engine)
    return engine
  }

  /** A new endpoint. */
  async transport(options: TransportOptions = {}): Promise<Meeting> {
    return this.meet(await this.endpoint(), { dial: options, accept: options })
  }

  /** What one listens on and connects to at this endpoint. */
  meet(place: ContractEndpoint, { engine = this.engine, dial, accept }: PairOptions & EngineChoice = {}): Meeting {
    const { options: common, dialOptions } = this.#transport
    const dialling = { ...common, ...dialOptions, ...dial }
    const accepting = { ...common, ...accept }
    const listening = engine.transport(place.endpoint, accepting)
    const { endpoint } = listening
    return {
      endpoint,
      listen: (handler) => this.#transport.listen?.(endpoint, accepting, handler) ?? listening.listen(handler),
      async connect(options) {
        const { dialled } = place
        if (dialled === undefined) return engine.transport(place.endpoint, dialling).connect(options)
        const there = signal()
        const transport = engine.transport(dialled(there.resolve), dialling)
        const connection = await transport.connect(options)
        await Promise.race([there.promise, connection.closed])
        return connection
      },
    }
  }

  async listen(transport: Meeting, handler?: ConnectionHandler): Promise<Listener> {
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

  async connect(transport: Meeting): Promise<Connection> {
    return this.keep(await transport.connect())
  }

  keep(connection: Connection): Connection {
    const { memory } = this.#transport
    if (memory !== undefined && connection.info.memory !== memory)
      throw new Error(`its frames go through ${String(connection.info.memory)}`)
    this.#connections.push(connection)
    return connection
  }

  /** Both ends of one connection, through a listener that outlasts the test; of its own where an engine is named. */
  async pair(options: PairOptions & EngineChoice = {}): Promise<Pair> {
    if (options.engine !== undefined) return this.pairAndListener(options)
    if (this.#pairs === undefined) throw new Error('there are no listeners that outlast a test')
    const pair = await this.#pairs.pair(options)
    for (const connection of [pair.dialled, pair.accepted]) this.keep(connection)
    return pair
  }

  /** Both ends of one connection, and the listener that it came through, which has no other. */
  async pairAndListener(options: PairOptions & EngineChoice = {}): Promise<Pair & { readonly listener: Listener }> {
    const transport = this.meet(await this.endpoint(), options)
    const listener = await this.listen(transport)
    const [dialled, accepted] = await Promise.all([this.connect(transport), this.next(listener)])
    return { dialled, accepted, listener }
  }

  /** The next connection of a listener that has no callback. */
  async next(listener: Listener): Promise<Connection> {
    for await (const connection of listener) return this.keep(connection)
    throw new Error('the listener closed')
  }

  /** Everything sent leaves, and the peer sees the end of the stream; without half-close this takes close(). */
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
