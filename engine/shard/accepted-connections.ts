/**
 * Main's side of what the listeners of one shard accept.
 *
 * A connection comes in one of two ways. Most come in a lane: main has lent the shard a few (the stock), the shard has
 * given one away at once, and the log in shared memory says so; nothing is left to be asked or answered. When main has
 * no more to lend, because so many are untaken that lanes would lie idle, they come by a number: they wait in the
 * shard, unread, until main sends a lane or rejects them, in one call for all of a turn. See
 * docs/decisions/accepting.md.
 */
import type { LaneConnection, ConnectionIdentity } from '../connection/lane-connection.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import { AcceptCounts, AcceptLogReader, STOCK_LANES } from '../protocol/accept-log.js'
import type { Adoption, ListenRequest, ShardControl } from '../protocol/control.js'
import { TransportError, type Outcome } from '../protocol/errors.js'
import type { LaneGrant } from '../protocol/lane.js'
import { intent, lane, life } from '../protocol/ring-layout.js'

/** What the rings of a stock take at most, unless those of a single lane take more. */
const STOCK_BYTES = 4_194_304

/** A connection that a shard has accepted and that nobody has taken yet. */
export interface Arrival {
  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY, ERR_SHARD_LOST. */
  adopt(options: ConnectionSettings, identity: ConnectionIdentity): LaneConnection
  reject(): void
}

/** What accepting needs of its shard. */
export interface AcceptedConnectionsHost {
  call<Name extends keyof ShardControl>(
    name: Name,
    ...args: Parameters<ShardControl[Name]>
  ): Promise<Awaited<ReturnType<ShardControl[Name]>>>
  /** A lane that carries nothing yet, and the way back for one that nothing was made of. */
  takeLane(): LaneGrant
  giveLane(grant: LaneGrant): void
  connect(grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity): LaneConnection
  wordsOf(grant: LaneGrant): Int32Array
  baseOf(grant: LaneGrant): number
  notify(laneId: number): void
}

export class AcceptedConnections {
  readonly #host: AcceptedConnectionsHost
  readonly #log: AcceptLogReader
  readonly #onArrivals: (listenerId: number, arrivals: readonly Arrival[]) => void
  readonly #listeners = new Map<number, AcceptCounts>()
  /** Lanes that the shard has in stock at most. */
  readonly #stockLanes: number
  /** Lanes without a connection at most: more are not lent while nobody takes those that were accepted. */
  readonly #mostIdle: number
  /** Lanes that were lent and have no connection yet, wherever they are by now. */
  readonly #stock = new Map<number, LaneGrant>()
  /** Of those, how many the shard is not known to have given away. */
  #inStock = 0
  /** The shard knows that it gets no more for now. */
  #isOut = false
  /** Lanes of the stock whose connection nobody wants: the shard is letting go of it. */
  readonly #unwanted = new Map<number, LaneGrant>()
  /** What the shard is told when this turn ends, for all that were taken in it. */
  #adoptions: (Adoption & { readonly connection: LaneConnection })[] = []
  #rejections: number[] = []
  /** Why nothing can be taken any more: the shard is dead, and its memory goes to others. */
  #lost: TransportError | undefined

  /** `laneBytes`: what the rings of a new lane take. */
  constructor(
    host: AcceptedConnectionsHost,
    log: SharedArrayBuffer,
    laneBytes: number,
    onArrivals: (listenerId: number, arrivals: readonly Arrival[]) => void,
  ) {
    this.#host = host
    this.#log = new AcceptLogReader(log)
    this.#onArrivals = onArrivals
    this.#stockLanes = Math.max(1, Math.min(STOCK_LANES, Math.floor(STOCK_BYTES / laneBytes)))
    this.#mostIdle = 2 * this.#stockLanes
  }

  /** Lanes that carry nothing yet. */
  get idleLanes(): number {
    return this.#stock.size
  }

  async listen(request: Omit<ListenRequest, 'counts'>): Promise<Outcome<void>> {
    const { listenerId } = request
    const counts = new AcceptCounts()
    this.#listeners.set(listenerId, counts)
    this.#fillUp()
    let isListening = false
    try {
      const outcome = await this.#host.call('listen', { ...request, counts: counts.words })
      isListening = outcome.ok
      return outcome
    } finally {
      if (!isListening) this.#forget(listenerId)
    }
  }

  async unlisten(listenerId: number): Promise<void> {
    try {
      await this.#host.call('unlisten', listenerId)
    } finally {
      this.#forget(listenerId)
    }
  }

  /** How many connections of this listener the shard has accepted that nobody has taken. */
  untaken(listenerId: number): number {
    return this.#listeners.get(listenerId)?.untaken ?? 0
  }

  /** Connections wait in the shard. Those that came in lanes came before them. */
  onWaiting(listenerId: number, acceptIds: readonly number[]): void {
    this.readLog()
    this.#onArrivals(
      listenerId,
      acceptIds.map((acceptId) => ({
        adopt: (options, identity) => this.#adopt(listenerId, acceptId, options, identity),
        reject: () => {
          if (this.#lost !== undefined) return
          this.#answerSoon(listenerId)
          this.#rejections.push(acceptId)
        },
      })),
    )
  }

  /** There is news of a lane that has no connection. */
  onNotify(laneId: number): void {
    const unwanted = this.#unwanted.get(laneId)
    if (unwanted !== undefined) this.#releaseIfClosed(unwanted)
    this.readLog()
  }

  readLog(): void {
    this.#log.read((listenerId, laneId) => {
      const grant = this.#stock.get(laneId)
      if (grant === undefined) return
      this.#inStock--
      this.#fillUpIfLow()
      this.#onArrivals(listenerId, [
        {
          adopt: (options, identity) => this.#take(listenerId, grant, options, identity),
          reject: () => {
            this.#discard(listenerId, grant)
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
    if (rejections.length > 0) this.#host.call('reject', rejections).catch(ignore)
    if (adoptions.length === 0) return
    const lanes = adoptions.map(({ acceptId, lane }) => ({ acceptId, lane }))
    this.#host.call('adopt', lanes).then(
      (gone) => {
        if (gone.length === 0) return
        const message = 'the accepted connection is gone. Accept the next one.'
        const error = new TransportError('ERR_CLOSED', message)
        for (const { lane, connection } of adoptions) if (gone.includes(lane.id)) connection.onShardLost(error)
      },
      // The shard died, perhaps before these connections were there to be told.
      (error: unknown) => {
        for (const { connection } of adoptions) connection.onShardLost(error as TransportError)
      },
    )
  }

  /** The shard is dead: its lanes are ours again. What it had accepted may still be waiting to be taken somewhere. */
  lose(error: TransportError): void {
    this.#lost = error
    for (const lanes of [this.#stock, this.#unwanted]) {
      for (const grant of lanes.values()) this.#host.giveLane(grant)
      lanes.clear()
    }
  }

  #adopt(
    listenerId: number,
    acceptId: number,
    options: ConnectionSettings,
    identity: ConnectionIdentity,
  ): LaneConnection {
    if (this.#lost !== undefined) throw this.#lost
    const lane = this.#host.takeLane()
    const connection = this.#host.connect(lane, options, identity)
    this.#answerSoon(listenerId)
    this.#adoptions.push({ acceptId, lane, connection })
    // There are lanes again: the next ones need not wait.
    this.#fillUpIfLow()
    return connection
  }

  #answerSoon(listenerId: number): void {
    this.#countTaken(listenerId)
    if (this.#adoptions.length === 0 && this.#rejections.length === 0) setImmediate(this.answer)
  }

  #take(
    listenerId: number,
    grant: LaneGrant,
    options: ConnectionSettings,
    identity: ConnectionIdentity,
  ): LaneConnection {
    if (this.#lost !== undefined) throw this.#lost
    this.#stock.delete(grant.id)
    this.#countTaken(listenerId)
    this.#fillUpIfLow()
    return this.#host.connect(grant, options, identity)
  }

  #discard(listenerId: number, grant: LaneGrant): void {
    if (!this.#stock.delete(grant.id)) return
    this.#countTaken(listenerId)
    this.#unwanted.set(grant.id, grant)
    // The intent before the look: it may have closed by itself, and will not say so again.
    Atomics.store(this.#host.wordsOf(grant), this.#host.baseOf(grant) + lane.OUT_INTENT, intent.DESTROY)
    if (!this.#releaseIfClosed(grant)) this.#host.notify(grant.id)
  }

  #releaseIfClosed(grant: LaneGrant): boolean {
    if (Atomics.load(this.#host.wordsOf(grant), this.#host.baseOf(grant) + lane.LIFE) !== life.CLOSED) return false
    this.#unwanted.delete(grant.id)
    this.#host.giveLane(grant)
    return true
  }

  #countTaken(listenerId: number): void {
    this.#listeners.get(listenerId)?.addTaken()
  }

  #fillUpIfLow(): void {
    // Seldom enough that the call costs little for each.
    if (this.#inStock <= this.#stockLanes / 2) this.#fillUp()
  }

  #fillUp(): void {
    if (this.#listeners.size === 0 || this.#lost !== undefined) return
    const lanes: LaneGrant[] = []
    const wanted = Math.min(this.#stockLanes - this.#inStock, this.#mostIdle - this.#stock.size)
    try {
      while (lanes.length < wanted) lanes.push(this.#host.takeLane())
    } catch {
      // So many connections, or so little memory, that there are not even lanes for a stock.
    }
    if (lanes.length === 0) {
      // Told once: those that come meanwhile wait in the shard, and main is told of each.
      if (this.#inStock > 0 || this.#isOut) return
      this.#isOut = true
      this.#host.call('lend', []).catch(ignore)
      return
    }
    this.#isOut = false
    this.#inStock += lanes.length
    for (const grant of lanes) this.#stock.set(grant.id, grant)
    this.#host.call('lend', lanes).catch(ignore)
  }

  /** The last listener takes the stock with it. */
  #forget(listenerId: number): void {
    this.#listeners.delete(listenerId)
    if (this.#listeners.size > 0) return
    this.#host.call('giveBack').then((laneIds) => {
      // Those that are in the log by now are not wanted any more, and find that out.
      this.readLog()
      for (const laneId of laneIds) {
        const grant = this.#stock.get(laneId)
        if (grant === undefined) continue
        this.#stock.delete(laneId)
        this.#inStock--
        this.#host.giveLane(grant)
      }
      // For a listener that was opened meanwhile.
      this.#fillUp()
    }, ignore)
  }
}

function ignore(): void {
  // The shard is dead, which everybody concerned learns otherwise.
}
