/**
 * What the listeners of one shard accept. Most connections come in a lane of the stock, as the log in shared memory
 * says, and no call is needed. When main has no more lanes to lend, they come as a number: they wait in the shard,
 * unread, until main sends a lane or rejects them. See docs/decisions/accepting.md.
 */
import type { HandshakeLane } from '../connection/handshake-lane.js'
import type { LaneConnection, ConnectionIdentity } from '../connection/lane-connection.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import { AcceptCounts, AcceptLogReader, createAcceptLog } from '../protocol/accept-log.js'
import type { Adoption, ListenerCallbacks, ListenRequest } from '../protocol/control.js'
import { TransportError, type Outcome } from '../protocol/errors.js'
import type { LaneGrant } from '../protocol/lane.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import type { ListenTarget } from '../protocol/target.js'
import type { BoundSocket } from '../sockets/bound-socket.js'
import { LaneStock } from './lane-stock.js'
import type { ControlClient } from './control-client.js'
import type { DescriptorExchange } from './descriptor-exchange.js'
import type { ShardLanes } from './shard-lanes.js'

/** A connection that a shard has accepted and that is not taken yet. */
export interface Arrival {
  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY, ERR_SHARD_LOST. */
  adopt(options: ConnectionSettings, identity: ConnectionIdentity): LaneConnection
  /** As `adopt()`; messages come before the connection. */
  shake(options: ConnectionSettings, identity: ConnectionIdentity): HandshakeLane
  reject(): void
}

/** What a shard tells the engine's listeners. */
export interface ArrivalEvents extends Omit<ListenerCallbacks, 'accepted'> {
  /** In the order in which they came. */
  arrived(listenerId: number, arrivals: readonly Arrival[]): void
}

export class AcceptedConnections {
  readonly #lanes: ShardLanes
  /** The shard writes it. */
  readonly logMemory = createAcceptLog()
  readonly #log = new AcceptLogReader(this.logMemory)
  readonly #control: ControlClient
  readonly #descriptors: DescriptorExchange
  readonly #events: ArrivalEvents
  readonly #stock: LaneStock
  readonly #listeners = new Map<number, AcceptCounts>()
  /** What the shard is told when this turn ends, for all connections that were taken in it. */
  #adoptions: (Adoption & { readonly user: LaneConnection | HandshakeLane })[] = []
  #rejections: number[] = []
  /** Why nothing can be taken any more: the shard is dead, and its memory goes to others. */
  #lost: TransportError | undefined

  constructor(lanes: ShardLanes, control: ControlClient, descriptors: DescriptorExchange, events: ArrivalEvents) {
    this.#lanes = lanes
    this.#control = control
    this.#descriptors = descriptors
    this.#events = events
    this.#stock = new LaneStock(lanes, control, () => this.#listeners.size > 0 && this.#lost === undefined)
  }

  get idleLanes(): number {
    return this.#stock.idleLanes
  }

  /** `socket`: what main has bound for it. */
  async listen(request: Omit<ListenRequest, 'counts'>, socket: BoundSocket | undefined): Promise<Outcome> {
    const { listenerId } = request
    // At once where nothing has to be sent first: what is dialled next on this shard must find the listener.
    const target = socket === undefined ? request.target : await this.#descriptors.targetFor(request.target, socket)
    const counts = new AcceptCounts()
    this.#listeners.set(listenerId, counts)
    this.#stock.fillUp()
    let isListening = false
    try {
      const outcome = await this.#control.call('listen', { ...request, target, counts: counts.words })
      isListening = outcome.ok
      return outcome
    } finally {
      if (!isListening) this.#forget(listenerId)
    }
  }

  async resume(listenerId: number, target: ListenTarget, socket: BoundSocket | undefined): Promise<Outcome> {
    return this.#control.call('resumeListening', listenerId, await this.#descriptors.targetFor(target, socket))
  }

  async unlisten(listenerId: number): Promise<void> {
    await this.#control.announce('unlisten', listenerId)
    this.#forget(listenerId)
  }

  serves(listenerId: number): boolean {
    return this.#listeners.has(listenerId)
  }

  receive(ticket: number): Promise<SocketHandle | undefined> {
    return this.#descriptors.receive(ticket)
  }

  async takeOver(listenerId: number, handles: readonly SocketHandle[]): Promise<readonly SocketHandle[]> {
    const give = (handle: SocketHandle): Promise<number | undefined> =>
      this.#descriptors.give({ handle, endpoint: '', folder: undefined }).catch(() => undefined)
    const tickets = await Promise.all(handles.map(give))
    const given = tickets.filter((ticket) => ticket !== undefined)
    // If the shard is lost meanwhile, it may have read from them: nobody else goes on with them.
    const refused = await this.#control.call('takeOver', listenerId, given).catch((): number[] => [])
    return handles.filter((_, i) => {
      const ticket = tickets[i]
      return ticket === undefined || refused.includes(ticket)
    })
  }

  /** How many connections of this listener the shard has accepted that are not taken. */
  untaken(listenerId: number): number {
    return this.#listeners.get(listenerId)?.untaken ?? 0
  }

  /** What the shard calls. Connections that are in the log came before any of it. */
  readonly callbacks: ListenerCallbacks = {
    accepted: (listenerId, acceptIds) => {
      this.#readLog()
      const arrivals = acceptIds.map((acceptId) => this.#waiting(listenerId, acceptId))
      this.#events.arrived(listenerId, arrivals)
    },
    paused: (listenerId) => {
      this.#readLog()
      this.#events.paused(listenerId)
    },
    listenerFailed: (listenerId, error) => {
      this.#readLog()
      this.#events.listenerFailed(listenerId, error)
    },
  }

  /** A lane was notified that has no connection. */
  onNotify(laneId: number): void {
    this.#stock.releaseIfClosed(laneId)
    this.#readLog()
  }

  #waiting(listenerId: number, acceptId: number): Arrival {
    const adopt = <User extends LaneConnection | HandshakeLane>(carry: (lane: LaneGrant) => User): User => {
      if (this.#lost !== undefined) throw this.#lost
      const lane = this.#lanes.takeIdle()
      const user = carry(lane)
      this.#answerSoon(listenerId)
      this.#adoptions.push({ acceptId, lane, user })
      // There are lanes again: the next ones need not wait.
      this.#stock.fillUpIfLow()
      return user
    }
    return {
      adopt: (options, identity) => adopt((lane) => this.#lanes.connectIdle(lane, options, identity)),
      shake: (options, identity) => adopt((lane) => this.#lanes.shakeIdle(lane, options, identity)),
      reject: () => {
        if (this.#lost !== undefined) return
        this.#answerSoon(listenerId)
        this.#rejections.push(acceptId)
      },
    }
  }

  #readLog(): void {
    this.#log.read((listenerId, laneId) => {
      const grant = this.#stock.onGivenAway(laneId)
      if (grant === undefined) return
      const take = (): LaneGrant => {
        if (this.#lost !== undefined) throw this.#lost
        this.#stock.remove(grant)
        this.#listeners.get(listenerId)?.addTaken()
        this.#stock.fillUpIfLow()
        return grant
      }
      this.#events.arrived(listenerId, [
        {
          adopt: (options, identity) => this.#lanes.connectIdle(take(), options, identity),
          shake: (options, identity) => this.#lanes.shakeIdle(take(), options, identity),
          reject: () => {
            if (!this.#stock.remove(grant)) return
            this.#listeners.get(listenerId)?.addTaken()
            this.#stock.reject(grant)
          },
        },
      ])
    })
  }

  /** Tells the shard now what was decided in this turn. */
  readonly answer = (): void => {
    const adoptions = this.#adoptions
    const rejections = this.#rejections
    this.#adoptions = []
    this.#rejections = []
    if (rejections.length > 0) void this.#control.announce('reject', rejections)
    if (adoptions.length === 0) return
    const lanes = adoptions.map(({ acceptId, lane }) => ({ acceptId, lane }))
    this.#control.call('adopt', lanes).then(
      (gone) => {
        if (gone.length === 0) return
        const error = new TransportError('ERR_CLOSED', 'the accepted connection is gone. Accept the next one.')
        for (const { lane, user } of adoptions) if (gone.includes(lane.id)) user.onShardLost(error)
      },
      // The shard died, perhaps before it carried these connections.
      (error: unknown) => {
        for (const { user } of adoptions) user.onShardLost(error as TransportError)
      },
    )
  }

  /** The shard is lost. Connections that it had accepted may still wait to be taken. */
  lose(error: TransportError): void {
    this.#lost = error
    this.#stock.lose()
  }

  #answerSoon(listenerId: number): void {
    this.#listeners.get(listenerId)?.addTaken()
    if (this.#adoptions.length === 0 && this.#rejections.length === 0) setImmediate(this.answer)
  }

  /** The stock goes with the last listener. */
  #forget(listenerId: number): void {
    this.#listeners.delete(listenerId)
    if (this.#listeners.size > 0) return
    this.#stock.empty(() => {
      // Connections that are in the log by now are rejected: no listener is left for them.
      this.#readLog()
    })
  }
}
