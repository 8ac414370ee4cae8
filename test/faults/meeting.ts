/** A listener, and connections to it with both ends in hand. */
import type { Connection, Engine, Listener } from '../../api/index.js'
import type { Meeting as Endpoint, World } from '../contract/contract-world.js'
import { signal, type Signal } from '../helpers/turns.js'

export interface Pair {
  readonly dialled: Connection
  readonly accepted: Connection
}

export class Meeting {
  readonly transport: Endpoint
  readonly #world: World
  readonly #arrivals = new Map<string, Signal<Connection>>()
  #pairs = 0

  static async open(world: World, engine: Engine): Promise<{ readonly meeting: Meeting; readonly listener: Listener }> {
    // Closing may take any time: only a death ends it earlier.
    const options = { closeTimeoutMs: 600_000 }
    const transport = world.meet(await world.endpoint(), { engine, dial: options, accept: options })
    const meeting = new Meeting(world, transport)
    const listener = await world.listen(transport, (connection) => meeting.#onAccepted(connection))
    return { meeting, listener }
  }

  private constructor(world: World, transport: Endpoint) {
    this.#world = world
    this.transport = transport
  }

  /** Both ends of a new connection, matched by its first frame. */
  async connect(): Promise<Pair> {
    return this.introduce(await this.#world.connect(this.transport))
  }

  /** The other end of a connection of which nothing was sent yet. */
  async introduce(dialled: Connection): Promise<Pair> {
    const name = `pair ${String(++this.#pairs)}`
    dialled.send(name)
    const accepted = await Promise.race([
      this.#arrival(name).promise,
      dialled.closed.then(({ code }) => {
        throw new Error(`${name} ended before it was accepted: ${code}`)
      }),
    ])
    return { dialled, accepted }
  }

  async #onAccepted(connection: Connection): Promise<void> {
    const first = await connection.receive().catch(() => undefined)
    if (first !== undefined) this.#arrival(String(first)).resolve(connection)
  }

  #arrival(name: string): Signal<Connection> {
    const known = this.#arrivals.get(name) ?? signal<Connection>()
    this.#arrivals.set(name, known)
    return known
  }
}
