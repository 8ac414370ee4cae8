/**
 * Engines with listeners that stay open over a whole suite, for tests that need both ends of a connection and ask
 * nothing of listening itself: on a Unix socket each listen starts a process. They are not the suite's own engine,
 * since what listeners have in stock is not what a test has left open.
 */
import { createEngine, type Engine, type LedgerReport, type Listener } from '../../api/index.js'
import type { FailureBook } from '../helpers/failure-book.js'
import type { ContractEndpoint, ContractTransport } from './contract.js'
import { World, type Pair, type PairOptions } from './contract-world.js'

interface Standing {
  readonly world: World
  readonly place: ContractEndpoint
  readonly listener: Listener
}

export class StandingListeners {
  readonly #transport: ContractTransport
  readonly #failures: FailureBook
  readonly #engines = new Map<number | undefined, Promise<Engine>>()
  readonly #started: Engine[] = []
  readonly #standing = new Map<string, Promise<Standing>>()

  constructor(transport: ContractTransport, failures: FailureBook) {
    this.#transport = transport
    this.#failures = failures
  }

  /** Both ends of a new connection. */
  async pair(options: PairOptions): Promise<Pair> {
    const { maxRingBytes, accept = {} } = options
    const key = JSON.stringify({ maxRingBytes, accept })
    const standing = this.#standing.get(key) ?? this.#stand(options)
    this.#standing.set(key, standing)
    const { world, place, listener } = await standing
    const dialling = world.meet(place, options).connect()
    const [dialled, accepted] = await Promise.all([dialling, world.next(listener)])
    return { dialled, accepted }
  }

  /** What connections hold, apart from what the listeners have in stock for the next ones. */
  open(): number {
    const open = this.#started.map((engine) => {
      const { connections, pendingConnects, ledger } = engine.stats()
      const { dials, children } = ledger.byKind
      return connections + pendingConnects + dials.open + children.open
    })
    return open.reduce((sum, one) => sum + one, 0)
  }

  /** They may have connections of a test that has failed: the next pairs come through new ones. */
  async renew(): Promise<void> {
    const standing = await Promise.all(this.#standing.values())
    this.#standing.clear()
    await Promise.all(standing.map(({ world }) => world.cleanUp()))
  }

  async close(): Promise<LedgerReport[]> {
    await this.renew()
    return Promise.all(this.#started.map((engine) => engine.close()))
  }

  async #stand(options: PairOptions): Promise<Standing> {
    const world = new World(this.#transport, await this.#engine(options.maxRingBytes))
    const place = await world.endpoint()
    return { world, place, listener: await world.listen(world.meet(place, options)) }
  }

  #engine(maxRingBytes: number | undefined): Promise<Engine> {
    const engine = this.#engines.get(maxRingBytes) ?? this.#start(maxRingBytes)
    this.#engines.set(maxRingBytes, engine)
    return engine
  }

  async #start(maxRingBytes: number | undefined): Promise<Engine> {
    const { createEngine: create = createEngine } = this.#transport
    const engine = await create({ shards: 1, maxRingBytes, onError: this.#failures.onError })
    this.#started.push(engine)
    return engine
  }
}
