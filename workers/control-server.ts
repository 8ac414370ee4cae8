/** The shard's answers to main's control calls: which lanes, listeners and dials it has. */
import net from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Remote } from 'comlink'
import type { AcceptLogWriter } from '../engine/protocol/accept-log.js'
import type { BellNotifier } from '../engine/protocol/bell.js'
import type { Adoption, DialRequest, ListenRequest, ShardControl, MainCallbacks } from '../engine/protocol/control.js'
import { serializeError, type Outcome } from '../engine/protocol/errors.js'
import type { FramingSpec } from '../engine/protocol/framing.js'
import { LaneTable, type LaneGrant } from '../engine/protocol/lane.js'
import { SlabTable, type SlabDescriptor } from '../engine/protocol/slab-table.js'
import type { ListenTarget } from '../engine/protocol/target.js'
import { systemClock } from '../engine/protocol/clock.js'
import type { Role } from '../engine/protocol/target.js'
import type { AcceptedPeer, Dialling, MainSide } from './wire.js'
import { FramedWire } from './lanes/framed-wire.js'
import { codecFor } from './framings/codec-registry.js'
import { RetiredMemory } from './retired-memory.js'
import type { Meter } from './meter.js'
import { dialWithRetry } from './dial-with-retry.js'
import { Pump } from './lanes/pump.js'
import { ShardListener, WaitingPeers } from './shard-listener.js'
import { transportFor } from './transports/transport-registry.js'

/**
 * The events of the turn that a call arrives in may have been gathered before it was sent; in the next one a bell is
 * heard and reading goes on; in the third what lies ready is read.
 */
const TURNS_TO_READ = 3

const done: Outcome<void> = { ok: true, value: undefined }

export class ControlServer implements ShardControl {
  readonly #bell: BellNotifier
  readonly #events: Remote<MainCallbacks>
  readonly #main: MainSide
  readonly #onStop: () => void
  readonly #lanes = new LaneTable()
  readonly #slabs = new SlabTable()
  readonly #leaving = new RetiredMemory()
  readonly #pumps: (Pump | undefined)[] = []
  readonly #dials = new Map<number, Dialling>()
  readonly #listeners = new Map<number, ShardListener>()
  readonly #waiting = new WaitingPeers()
  readonly #log: AcceptLogWriter
  /** Lanes that main has lent for connections that are yet to be accepted. */
  readonly #stock: LaneGrant[] = []
  /** Whether main lends more when these are gone. */
  #expectsLanes = true
  readonly #meter: Meter

  constructor(
    bell: BellNotifier,
    log: AcceptLogWriter,
    events: Remote<MainCallbacks>,
    meter: Meter,
    onStop: () => void,
  ) {
    this.#meter = meter
    this.#log = log
    this.#bell = bell
    this.#events = events
    this.#main = { releaseStdio: (descriptor) => events.releaseStdio(descriptor) }
    this.#onStop = onStop
  }

  /**
   * Main has news for a lane. True: it is of a connection that was dialled. Rung for one that is gone: nothing to do.
   */
  onNotify(laneId: number): boolean {
    const pump = this.#pumps[laneId]
    pump?.onNotify()
    return pump?.role === 'dialled'
  }

  addHeaders(memory: SharedArrayBuffer): void {
    this.#lanes.addHeaders(memory)
  }

  addSlab(slab: SlabDescriptor): void {
    this.#slabs.add(slab)
  }

  removeSlab(id: number): void {
    const slab = this.#slabs.remove(id)
    if (slab !== undefined) this.#leaving.add(slab.memory)
  }

  collectGarbage(): Promise<boolean> {
    return this.#leaving.collect()
  }

  async dial(request: DialRequest): Promise<Outcome<void>> {
    const pump = this.#open(request.lane, 'dialled')
    const { target } = request
    const transport = transportFor(target)
    const framed = framedWire(pump, request.framing)
    const dialling = dialWithRetry(
      () => transport.dial(target, framed ?? pump, this.#main),
      request.timeoutMs,
      systemClock,
    )
    this.#dials.set(pump.id, dialling)
    try {
      const wire = await dialling.connected
      pump.attach(framed?.over(wire) ?? wire)
      return done
    } catch (error) {
      pump.abandon()
      return { ok: false, error: serializeError(error) }
    } finally {
      this.#dials.delete(request.lane.id)
    }
  }

  abortDial(laneId: number): void {
    this.#dials.get(laneId)?.abort()
  }

  async listen(request: ListenRequest): Promise<Outcome<void>> {
    const { listenerId, target, backlog } = request
    const listener = new ShardListener(request, this.#waiting, {
      expectsLanes: () => this.#expectsLanes,
      adopt: (peer, by) => this.#adoptFromStock(peer, by),
      accepted: (acceptIds) => void this.#events.accepted(listenerId, acceptIds),
      paused: () => void this.#events.paused(listenerId),
    })
    this.#listeners.set(listenerId, listener)
    try {
      const handle = await transportFor(target).listen(
        target,
        backlog,
        (peer) => {
          listener.onAccepted(peer)
        },
        (error) => {
          void this.#events.listenerFailed(listenerId, { ok: false, error: serializeError(error) })
        },
      )
      listener.onListening(handle)
      return done
    } catch (error) {
      this.#listeners.delete(listenerId)
      await listener.close()
      return { ok: false, error: serializeError(error) }
    }
  }

  async resumeListening(listenerId: number, target: ListenTarget): Promise<Outcome<void>> {
    const listener = this.#listeners.get(listenerId)
    if (listener === undefined || listener.isAccepting) {
      // Closed meanwhile: a descriptor that came for it would be nobody's. Closed by a handle, since Node warns of
      // numbers that a worker closes without having opened them.
      if ('fd' in target) new net.Socket({ fd: target.fd, readable: false, writable: false }).destroy()
      return done
    }
    try {
      await listener.resume(target)
      return done
    } catch (error) {
      return { ok: false, error: serializeError(error) }
    }
  }

  async unlisten(listenerId: number): Promise<void> {
    await this.#listeners.get(listenerId)?.close()
    this.#listeners.delete(listenerId)
  }

  adopt(adoptions: readonly Adoption[]): readonly number[] {
    const gone: number[] = []
    for (const { acceptId, lane } of adoptions) {
      const waiting = this.#waiting.take(acceptId)
      if (waiting === undefined) {
        gone.push(lane.id)
        continue
      }
      this.#adopt(waiting.peer, lane, waiting.listener)
    }
    return gone
  }

  lend(lanes: readonly LaneGrant[]): void {
    this.#expectsLanes = lanes.length > 0
    this.#stock.push(...lanes)
    for (const listener of this.#listeners.values()) {
      if (this.#expectsLanes) listener.onLanes()
      else listener.onNoLanes()
    }
  }

  giveBack(): readonly number[] {
    return this.#stock.splice(0).map(({ id }) => id)
  }

  reject(acceptIds: readonly number[]): void {
    for (const acceptId of acceptIds) this.#waiting.take(acceptId)?.peer.reject()
  }

  ping(): void {
    // That it is answered is all that is asked.
  }

  async turn(): Promise<void> {
    for (let i = 0; i < TURNS_TO_READ; i++) await nextTurn()
  }

  stop(): void {
    for (const pump of this.#pumps) pump?.destroy()
    for (const dialling of this.#dials.values()) dialling.abort()
    this.#onStop()
  }

  #adopt(peer: AcceptedPeer, lane: LaneGrant, listener: ShardListener): void {
    const pump = this.#open(lane, 'accepted')
    const framed = framedWire(pump, listener.framing)
    const wire = peer.adopt(framed ?? pump)
    pump.attach(framed?.over(wire) ?? wire)
  }

  #adoptFromStock(peer: AcceptedPeer, listener: ShardListener): boolean {
    const lane = this.#stock.pop()
    if (lane === undefined) return false
    this.#adopt(peer, lane, listener)
    this.#log.push(listener.id, lane.id)
    // Main has no connection in the lane of an entry that it has not read: news of such a lane makes it look. Many come
    // in one turn, and whoever connects mostly speaks at once: one wake-up is for all of that.
    this.#bell.notifySoon(lane.id)
    return true
  }

  #open(grant: LaneGrant, role: Role): Pump {
    const words = this.#lanes.wordsOf(grant.id)
    const base = this.#lanes.baseOf(grant.id)
    const pump = new Pump(grant, role, words, base, this.#slabs, this.#bell, this.#meter, (id) => {
      this.#pumps[id] = undefined
    })
    this.#pumps[grant.id] = pump
    return pump
  }
}

/** Undefined: the peer speaks the format of the rings. */
function framedWire(pump: Pump, framing: FramingSpec): FramedWire | undefined {
  const codec = codecFor(framing)
  return codec === undefined ? undefined : new FramedWire(pump, codec, framing.frameTimeoutMs, systemClock)
}
