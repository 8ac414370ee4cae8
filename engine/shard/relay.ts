/**
 * Connections that one shard has accepted and another one has more room for. They pass through main: it knows how busy
 * each thread is, and has a channel for descriptors with every shard that listens. See
 * docs/decisions/accept-sharding.md.
 */
import type { SocketHandle } from '../internals/socket-handle.js'
import type { ShardLoads } from '../protocol/shard-loads.js'
import { place, type Placeable } from './placement.js'

export interface RelayShard extends Placeable {
  readonly index: number
  readonly isUp: boolean
  /** Whether it accepts connections of this listener, for itself or for main. */
  serves(listenerId: number): boolean
  readonly accepted: {
    /** A duplicate that the shard has sent. Undefined: it is lost. */
    receive(ticket: number): Promise<SocketHandle | undefined>
    /** Duplicates go to the shard. Which of them it does not have; all others are its own, or went with it. */
    takeOver(listenerId: number, handles: readonly SocketHandle[]): Promise<readonly SocketHandle[]>
  }
}

export class Relay {
  readonly #loads: ShardLoads
  readonly #shardsUp: () => readonly RelayShard[]

  constructor(loads: ShardLoads, shardsUp: () => readonly RelayShard[]) {
    this.#loads = loads
    this.#shardsUp = shardsUp
  }

  /** A shard has sent duplicates of what it has accepted. Resolves with the tickets of those that it is to keep. */
  async handOn(from: RelayShard, listenerId: number, tickets: readonly number[]): Promise<readonly number[]> {
    const shards = this.#shardsUp().filter((shard) => shard.serves(listenerId))
    const kept: number[] = []
    const moving = new Map<RelayShard, number[]>()
    for (const ticket of tickets) {
      const to = place(shards, ({ index }) => this.#loads.connectionsOf(index))
      if (to === undefined || to === from) {
        kept.push(ticket)
        void from.accepted.receive(ticket).then((handle) => handle?.close())
        continue
      }
      this.#loads.addComing(to.index, 1)
      moving.set(to, [...(moving.get(to) ?? []), ticket])
    }
    const moves = [...moving].map(([to, theirs]) => this.#move(from, to, listenerId, theirs))
    return [...kept, ...(await Promise.all(moves)).flat()]
  }

  async #move(from: RelayShard, to: RelayShard, listenerId: number, tickets: readonly number[]): Promise<number[]> {
    const received = await Promise.all(tickets.map((ticket) => from.accepted.receive(ticket)))
    const handles = received.filter((handle) => handle !== undefined)
    const refused = handles.length === 0 ? [] : await to.accepted.takeOver(listenerId, handles)
    for (const handle of handles) handle.close()
    // If it is lost, the next one in its place began with none.
    if (to.isUp) this.#loads.addComing(to.index, -tickets.length)
    return tickets.filter((_, i) => {
      const handle = received[i]
      return handle === undefined || refused.includes(handle)
    })
  }
}
