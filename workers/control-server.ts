/** The shard's answers to main's control calls: which lanes, listeners and dials it has. */
import net from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { Remote } from 'comlink'
import type { BellRinger } from '../engine/shared/bell.js'
import type { DialRequest, ListenRequest, ShardControl, ShardEvents } from '../engine/shared/control.js'
import { TransportError, toWireError, type Outcome } from '../engine/shared/errors.js'
import type { FramingSpec } from '../engine/shared/framing.js'
import { LaneTable, type LaneGrant } from '../engine/shared/lane.js'
import { SlabTable, type SlabDescriptor } from '../engine/shared/region.js'
import type { TransportTarget } from '../engine/shared/target.js'
import { systemClock } from '../engine/shared/waiter.js'
import type { AcceptedPeer, Dialling, ListenHandle, MainSide, Role } from '../engine/shared/wire.js'
import { FramedWire } from './framed-wire.js'
import { codecFor } from './framings/registry.js'
import { LeavingMemory } from './leaving-memory.js'
import type { Meter } from './meter.js'
import { dialPatiently } from './patient-dial.js'
import { Pump } from './pump.js'
import { transportFor } from './transports/registry.js'

/**
 * The events of the turn that a call arrives in may have been gathered before it was sent; in the next one a bell is
 * heard and reading goes on; in the third what lies ready is read.
 */
const TURNS_TO_READ = 3

const done: Outcome<void> = { ok: true, value: undefined }

interface ListenerState {
  readonly handle: ListenHandle
  readonly maxQueued: number
  /** Accepted, and neither adopted nor rejected by main. */
  queued: number
  accepting: boolean
}

export class ControlServer implements ShardControl {
  readonly #bell: BellRinger
  readonly #events: Remote<ShardEvents>
  readonly #main: MainSide
  readonly #onStop: () => void
  readonly #lanes = new LaneTable()
  readonly #slabs = new SlabTable()
  readonly #leaving = new LeavingMemory()
  readonly #pumps: (Pump | undefined)[] = []
  readonly #dials = new Map<number, Dialling>()
  readonly #listeners = new Map<number, ListenerState>()
  readonly #accepted = new Map<number, { readonly listenerId: number; readonly peer: AcceptedPeer }>()
  readonly #meter: Meter
  #nextAcceptId = 1

  constructor(bell: BellRinger, events: Remote<ShardEvents>, meter: Meter, onStop: () => void) {
    this.#meter = meter
    this.#bell = bell
    this.#events = events
    this.#main = { letGoOf: (descriptor) => events.letGoOf(descriptor) }
    this.#onStop = onStop
  }

  /** Main has news for a lane. True: it is of a connection that was dialled. Rung for one that is gone: nothing to do. */
  onNews(laneId: number): boolean {
    const pump = this.#pumps[laneId]
    pump?.onNews()
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
    const dialling = dialPatiently(
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
      return { ok: false, error: toWireError(error) }
    } finally {
      this.#dials.delete(request.lane.id)
    }
  }

  abortDial(laneId: number): void {
    this.#dials.get(laneId)?.abort()
  }

  async listen(request: ListenRequest): Promise<Outcome<void>> {
    const { listenerId, target, backlog, maxQueued } = request
    try {
      const handle = await transportFor(target).listen(
        target,
        backlog,
        (peer) => {
          this.#onAccepted(listenerId, peer)
        },
        (error) => {
          void this.#events.listenerFailed(listenerId, { ok: false, error: toWireError(error) })
        },
      )
      this.#listeners.set(listenerId, { handle, maxQueued, queued: 0, accepting: true })
      return done
    } catch (error) {
      return { ok: false, error: toWireError(error) }
    }
  }

  async resumeListening(listenerId: number, target: TransportTarget): Promise<Outcome<void>> {
    const state = this.#listeners.get(listenerId)
    if (state === undefined || state.accepting) {
      // Closed meanwhile: a descriptor that came for it would be nobody's. Closed by a handle, since Node warns of numbers
      // that a worker closes without having opened them.
      if ('fd' in target) new net.Socket({ fd: target.fd, readable: false, writable: false }).destroy()
      return done
    }
    state.accepting = true
    try {
      await state.handle.resume(target)
      return done
    } catch (error) {
      state.accepting = false
      return { ok: false, error: toWireError(error) }
    }
  }

  async unlisten(listenerId: number): Promise<void> {
    const state = this.#listeners.get(listenerId)
    await state?.handle.close()
    for (const [acceptId, waiting] of this.#accepted) {
      if (waiting.listenerId === listenerId) this.reject(acceptId)
    }
    this.#listeners.delete(listenerId)
  }

  adopt(acceptId: number, lane: LaneGrant, framing: FramingSpec): Outcome<void> {
    const waiting = this.#accepted.get(acceptId)
    if (waiting === undefined) {
      const error = new TransportError('ERR_CLOSED', 'the accepted connection is gone. Accept the next one.')
      return { ok: false, error: toWireError(error) }
    }
    this.#forget(acceptId, waiting.listenerId)
    const pump = this.#open(lane, 'accepted')
    const framed = framedWire(pump, framing)
    const wire = waiting.peer.adopt(framed ?? pump)
    pump.attach(framed?.over(wire) ?? wire)
    return done
  }

  reject(acceptId: number): void {
    const waiting = this.#accepted.get(acceptId)
    if (waiting === undefined) return
    waiting.peer.reject()
    this.#forget(acceptId, waiting.listenerId)
  }

  ping(): void {
    // That it is answered is all that is asked.
  }

  async turn(): Promise<void> {
    for (let i = 0; i < TURNS_TO_READ; i++) await setImmediate()
  }

  stop(): void {
    for (const pump of this.#pumps) pump?.destroy()
    for (const dialling of this.#dials.values()) dialling.abort()
    this.#onStop()
  }

  #onAccepted(listenerId: number, peer: AcceptedPeer): void {
    const acceptId = this.#nextAcceptId++
    this.#accepted.set(acceptId, { listenerId, peer })
    void this.#events.accepted(listenerId, acceptId)
    const state = this.#listeners.get(listenerId)
    if (state === undefined) return
    state.queued++
    if (state.queued < state.maxQueued || !state.accepting) return
    state.accepting = false
    state.handle.pause()
    void this.#events.paused(listenerId)
  }

  #forget(acceptId: number, listenerId: number): void {
    this.#accepted.delete(acceptId)
    const state = this.#listeners.get(listenerId)
    if (state !== undefined) state.queued--
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
