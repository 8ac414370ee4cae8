/**
 * Listeners that stay open over a whole suite, for tests that need both ends of a connection and ask nothing of listening
 * itself: on a Unix socket each listen starts a process.
 */
import { createEngine, type Engine, type Listener } from '../../api/index.js'
import type { FailureBook } from '../helpers/failure-book.js'
import type { ContractEndpoint, ContractTransport } from './contract.js'
import { World, type Pair, type PairOptions } from './world.js'

interface Standing {
  readonly place: ContractEndpoint
  readonly listener: Listener
}

export class StandingListeners {
  readonly engine: Engine
  readonly #world: World
  /** By the options of what they accept. */
  readonly #byOptions = new Map<string, Promise<Standing>>()

  /** An engine of its own: what listeners have in stock is not what a test has left open. */
  static async open(transport: ContractTransport, failures: FailureBook): Promise<StandingListeners> {
    return new StandingListeners(transport, await createEngine({ shards: 1, onError: failures.onError }))
  }

  private constructor(transport: ContractTransport, engine: Engine) {
    this.engine = engine
    this.#world = new World(transport, engine)
  }

  /** Both ends of a new connection. */
  async pair(options: PairOptions): Promise<Pair> {
    const { place, listener } = await this.#standing(options)
    const dialling = this.#world.meet(place, options).connect()
    const [dialled, accepted] = await Promise.all([dialling, this.#world.next(listener)])
    return { dialled, accepted }
  }

  /** They may have connections of a test that has failed. The next pairs come through new ones. */
  async renew(): Promise<void> {
    this.#byOptions.clear()
    await this.#world.cleanUp()
  }

  /** What connections hold, apart from what the listeners have in stock for the next ones. */
  open(): object {
    const { connections, pendingConnects, ledger } = this.engine.stats()
    const { dials, children, helpers } = ledger.byKind
    return { connections, pendingConnects, dials: dials.open, children: children.open, helpers: helpers.open }
  }

  async #standing(options: PairOptions): Promise<Standing> {
    const key = JSON.stringify(options.accept ?? {})
    const standing = this.#byOptions.get(key) ?? this.#listen(options)
    this.#byOptions.set(key, standing)
    return standing
  }

  async #listen(options: PairOptions): Promise<Standing> {
    const place = await this.#world.endpoint()
    return { place, listener: await this.#world.listen(this.#world.meet(place, options)) }
  }
}
