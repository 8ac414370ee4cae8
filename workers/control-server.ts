/** The shard's answers to main's control calls: which lanes, listeners and dials it has. */
import type { Remote } from 'comlink'
import type { BellRinger } from '../engine/shared/bell.js'
import type { DialRequest, ListenRequest, ShardControl, ShardEvents } from '../engine/shared/control.js'
import { TransportError, toWireError, type Outcome } from '../engine/shared/errors.js'
import { LaneTable, type LaneGrant } from '../engine/shared/lane.js'
import { SlabTable, type SlabDescriptor } from '../engine/shared/region.js'
import type { AcceptedPeer, Dialling, ListenHandle } from '../engine/shared/wire.js'
import { Pump } from './pump.js'
import { transportFor } from './transports/registry.js'

const done: Outcome<void> = { ok: true, value: undefined }

export class ControlServer implements ShardControl {
  readonly #bell: BellRinger
  readonly #events: Remote<ShardEvents>
  readonly #onStop: () => void
  readonly #lanes = new LaneTable()
  readonly #slabs = new SlabTable()
  readonly #pumps: (Pump | undefined)[] = []
  readonly #dials = new Map<number, Dialling>()
  readonly #listeners = new Map<number, ListenHandle>()
  readonly #accepted = new Map<number, { readonly listenerId: number; readonly peer: AcceptedPeer }>()
  readonly #counters: Float64Array
  #nextAcceptId = 1

  constructor(bell: BellRinger, events: Remote<ShardEvents>, counters: Float64Array, onStop: () => void) {
    this.#counters = counters
    this.#bell = bell
    this.#events = events
    this.#onStop = onStop
  }

  /** Main has news for a lane. Rung for a lane that is gone already: nothing to do. */
  onNews(laneId: number): void {
    this.#pumps[laneId]?.onNews()
  }

  addHeaders(memory: SharedArrayBuffer): void {
    this.#lanes.addHeaders(memory)
  }

  addSlab(slab: SlabDescriptor): void {
    this.#slabs.add(slab)
  }

  removeSlab(id: number): void {
    this.#slabs.remove(id)
  }

  async dial(request: DialRequest): Promise<Outcome<void>> {
    const pump = this.#open(request.lane)
    const dialling = transportFor(request.target).dial(request.target, pump)
    this.#dials.set(pump.id, dialling)
    try {
      const wire = await dialling.connected
      pump.attach(wire)
      return done
    } catch (error) {
      pump.abandon()
      return { ok: false, error: toWireError(error) }
    } finally {
      this.#dials.delete(request.lane.id)
    }
  }

  abortDial(laneId: number): void {
    this.#dials.get(laneId)?.abort()
  }

  async listen(request: ListenRequest): Promise<Outcome<void>> {
    const { listenerId, target, backlog } = request
    try {
      const handle = await transportFor(target).listen(
        target,
        backlog,
        (peer) => {
          const acceptId = this.#nextAcceptId++
          this.#accepted.set(acceptId, { listenerId, peer })
          void this.#events.accepted(listenerId, acceptId)
        },
        (error) => {
          void this.#events.listenerFailed(listenerId, { ok: false, error: toWireError(error) })
        },
      )
      this.#listeners.set(listenerId, handle)
      return done
    } catch (error) {
      return { ok: false, error: toWireError(error) }
    }
  }

  async unlisten(listenerId: number): Promise<void> {
    const handle = this.#listeners.get(listenerId)
    this.#listeners.delete(listenerId)
    await handle?.close()
    for (const [acceptId, waiting] of this.#accepted) {
      if (waiting.listenerId === listenerId) this.reject(acceptId)
    }
  }

  adopt(acceptId: number, lane: LaneGrant): Outcome<void> {
    const waiting = this.#accepted.get(acceptId)
    if (waiting === undefined) {
      const error = new TransportError('ERR_CLOSED', 'the accepted connection is gone. Accept the next one.')
      return { ok: false, error: toWireError(error) }
    }
    this.#accepted.delete(acceptId)
    const pump = this.#open(lane)
    pump.attach(waiting.peer.adopt(pump))
    return done
  }

  reject(acceptId: number): void {
    this.#accepted.get(acceptId)?.peer.reject()
    this.#accepted.delete(acceptId)
  }

  stop(): void {
    for (const pump of this.#pumps) pump?.destroy()
    for (const dialling of this.#dials.values()) dialling.abort()
    this.#onStop()
  }

  #open(grant: LaneGrant): Pump {
    const words = this.#lanes.wordsOf(grant.id)
    const base = this.#lanes.baseOf(grant.id)
    const pump = new Pump(grant, words, base, this.#slabs, this.#bell, this.#counters, (id) => {
      this.#pumps[id] = undefined
    })
    this.#pumps[grant.id] = pump
    return pump
  }
}
