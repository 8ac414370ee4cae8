/** The listeners of a shard, and the lanes that main has lent for the connections that they accept. */
import type { AcceptLogWriter } from '../../engine/protocol/accept-log.js'
import type { BellNotifier } from '../../engine/protocol/bell.js'
import type { Adoption, ListenerCallbacks, ListenRequest } from '../../engine/protocol/control.js'
import { serializeError } from '../../engine/protocol/errors.js'
import type { LaneGrant } from '../../engine/protocol/lane.js'
import type { ListenTarget } from '../../engine/protocol/target.js'
import { laneEnd } from '../lanes/framed-wire.js'
import type { Pumps } from '../lanes/pumps.js'
import type { AcceptedPeer, DescriptorSource } from '../shard-transport.js'
import { listenerFor } from '../transports/transport-registry.js'
import type { OwnLoad } from '../own-load.js'
import { ShardListener, WaitingPeers, type LaneStock } from './shard-listener.js'
import type { Surplus } from './surplus.js'
import { takeOver } from './take-over.js'

export class ShardListeners implements LaneStock {
  readonly #pumps: Pumps
  readonly #bell: BellNotifier
  readonly #log: AcceptLogWriter
  readonly #main: ListenerCallbacks
  readonly #descriptors: DescriptorSource
  readonly #load: OwnLoad
  readonly #surplus: Surplus
  readonly #byId = new Map<number, ShardListener>()
  readonly #waiting = new WaitingPeers()
  /** Lanes that main has lent and that carry nothing yet. */
  readonly #stock: LaneGrant[] = []
  expectsLanes = true

  constructor(
    pumps: Pumps,
    bell: BellNotifier,
    log: AcceptLogWriter,
    main: ListenerCallbacks,
    descriptors: DescriptorSource,
    load: OwnLoad,
    surplus: Surplus,
  ) {
    this.#pumps = pumps
    this.#bell = bell
    this.#log = log
    this.#main = main
    this.#descriptors = descriptors
    this.#load = load
    this.#surplus = surplus
  }

  async open(request: ListenRequest): Promise<void> {
    const { listenerId, target, backlog, maxQueued } = request
    const listener = new ShardListener(request, this.#waiting, this, this.#main)
    this.#byId.set(listenerId, listener)
    try {
      const handle = await listenerFor(target).listen(
        target,
        backlog,
        (peer) => {
          const keep = (): void => this.#keep(peer, listener)
          if (!this.#surplus.offer(listenerId, peer, { most: maxQueued, isServed: false }, keep)) keep()
        },
        (error) => this.#main.listenerFailed(listenerId, serializeError(error)),
        this.#descriptors,
      )
      listener.onListening(handle)
    } catch (error) {
      await this.close(listenerId)
      throw error
    }
  }

  async resume(listenerId: number, target: ListenTarget): Promise<void> {
    const listener = this.#byId.get(listenerId)
    if (listener !== undefined && !listener.isAccepting) await listener.resume(target)
    // The listener was closed meanwhile.
    else if ('ticket' in target) (await this.#descriptors.receive(target.ticket))?.close()
  }

  async close(listenerId: number): Promise<void> {
    const listener = this.#byId.get(listenerId)
    this.#surplus.closeAllOf(listenerId)
    await listener?.close()
    this.#byId.delete(listenerId)
  }

  /** Connections that another shard has accepted. Returns the tickets of those that this one does not take. */
  takeOver(listenerId: number, tickets: readonly number[]): Promise<readonly number[]> {
    return takeOver(tickets, this.#descriptors, () => {
      const listener = this.#byId.get(listenerId)
      return listener?.isAccepting === true ? (peer) => this.#keep(peer, listener) : undefined
    })
  }

  /** Returns the lanes of connections that are gone. */
  adopt(adoptions: readonly Adoption[]): readonly number[] {
    const gone: number[] = []
    for (const { acceptId, lane } of adoptions) {
      const waiting = this.#waiting.take(acceptId)
      if (waiting === undefined) gone.push(lane.id)
      else this.#adopt(waiting.peer, lane, waiting.listener)
    }
    return gone
  }

  reject(acceptIds: readonly number[]): void {
    for (const acceptId of acceptIds) this.#waiting.take(acceptId)?.peer.reject()
  }

  lend(lanes: readonly LaneGrant[]): void {
    this.expectsLanes = lanes.length > 0
    this.#stock.push(...lanes)
    for (const listener of this.#byId.values()) {
      if (this.expectsLanes) listener.onLanes()
      else listener.onNoLanes()
    }
  }

  giveBack(): readonly number[] {
    return this.#stock.splice(0).map(({ id }) => id)
  }

  /** It counts as this shard's from here on: until it has a lane, by this, and then by its pump. */
  #keep(peer: AcceptedPeer, listener: ShardListener): void {
    const load = this.#load
    load.arrived()
    listener.onAccepted({
      adopt(owner) {
        load.left()
        return peer.adopt(owner)
      },
      reject() {
        load.left()
        peer.reject()
      },
    })
  }

  #adopt(peer: AcceptedPeer, lane: LaneGrant, { kind, framing }: ShardListener): void {
    const end = laneEnd(this.#pumps.open(lane.id, 'accepted', kind), framing)
    end.attach(peer.adopt(end))
  }

  adoptFromStock(peer: AcceptedPeer, listener: ShardListener): boolean {
    const lane = this.#stock.pop()
    if (lane === undefined) return false
    this.#adopt(peer, lane, listener)
    this.#log.push(listener.id, lane.id)
    // A notified lane without a connection makes main read the log. One wake-up is for all of this turn.
    this.#bell.notifySoon(lane.id)
    return true
  }
}
