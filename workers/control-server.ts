/** The control plane of a shard: answers main's calls. What is notified of lanes goes to their pumps (`lanes/`). */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ShardListeners } from './accepting/shard-listeners.js'
import type { ShardDescriptors } from './descriptors.js'
import { systemClock } from '../engine/protocol/clock.js'
import type {
  Adoption,
  DialRequest,
  ListenRequest,
  ServedDialOutcome,
  ServedDialRequest,
  ServeRequest,
  ShardControl,
} from '../engine/protocol/control.js'
import { serializeError, type Outcome } from '../engine/protocol/errors.js'
import type { HandlerEnd } from '../engine/protocol/handling.js'
import type { LaneGrant } from '../engine/protocol/lane.js'
import type { SlabDescriptor } from '../engine/protocol/slab-table.js'
import type { ListenTarget } from '../engine/protocol/target.js'
import { dialWithRetry } from './dial-with-retry.js'
import type { ServedModules } from './handlers/served-modules.js'
import { laneEnd } from './lanes/framed-wire.js'
import type { Pumps } from './lanes/pumps.js'
import { RetiredMemory } from './retired-memory.js'
import type { Dialling, MainSide } from './shard-transport.js'
import { diallerFor } from './transports/transport-registry.js'

/** The first may handle only older events; in the second reading goes on; the third reads what is there by then. */
const TURNS_TO_READ = 3

export class ControlServer implements ShardControl {
  readonly #pumps: Pumps
  readonly #listeners: ShardListeners
  readonly #served: ServedModules
  readonly #descriptors: ShardDescriptors
  readonly #main: MainSide
  readonly #onStop: () => void
  readonly #retired = new RetiredMemory()
  readonly #dials = new Map<number, Dialling>()

  constructor(
    pumps: Pumps,
    listeners: ShardListeners,
    served: ServedModules,
    descriptors: ShardDescriptors,
    main: MainSide,
    onStop: () => void,
  ) {
    this.#pumps = pumps
    this.#listeners = listeners
    this.#served = served
    this.#descriptors = descriptors
    this.#main = main
    this.#onStop = onStop
  }

  addHeaders(memory: SharedArrayBuffer): void {
    this.#pumps.lanes.addHeaders(memory)
  }

  addSlab(slab: SlabDescriptor): void {
    this.#pumps.slabs.add(slab)
  }

  removeSlab(id: number): void {
    const slab = this.#pumps.slabs.remove(id)
    if (slab !== undefined) this.#retired.add(slab.memory)
  }

  collectGarbage(): Promise<boolean> {
    return this.#retired.collect()
  }

  async dial({ lane, target, framing, timeoutMs }: DialRequest): Promise<Outcome> {
    const pump = this.#pumps.open(lane.id, 'dialled', target.kind)
    const end = laneEnd(pump, framing)
    const dialler = diallerFor(target)
    const dialling = dialWithRetry(() => dialler.dial(target, end, this.#main), timeoutMs, systemClock)
    this.#dials.set(lane.id, dialling)
    const outcome = await outcomeOf(dialling.connected.then((wire) => end.attach(wire)))
    if (!outcome.ok) pump.abandon()
    this.#dials.delete(lane.id)
    return outcome
  }

  abortDial(laneId: number): void {
    this.#dials.get(laneId)?.abort()
  }

  openDescriptors(path: string): Promise<Outcome> {
    return outcomeOf(this.#descriptors.open(path))
  }

  async duplicateSocket(laneId: number, ticket: number): Promise<boolean> {
    const handle = this.#pumps.writerOf(laneId)
    return handle !== undefined && (await this.#descriptors.send(ticket, handle))
  }

  listen(request: ListenRequest): Promise<Outcome> {
    return outcomeOf(this.#listeners.open(request))
  }

  resumeListening(listenerId: number, target: ListenTarget): Promise<Outcome> {
    return outcomeOf(this.#listeners.resume(listenerId, target))
  }

  unlisten(listenerId: number): Promise<void> {
    return this.#listeners.close(listenerId)
  }

  serve(request: ServeRequest): Promise<Outcome> {
    return outcomeOf(this.#served.open(request))
  }

  async dialServed(request: ServedDialRequest): Promise<ServedDialOutcome> {
    try {
      return { ok: true, connection: await this.#served.dial(request) }
    } catch (error) {
      return { ok: false, error: serializeError(error) }
    }
  }

  unserve(servedId: number): Promise<void> {
    return this.#served.close(servedId)
  }

  settleServed(servedId: number): Promise<void> {
    return this.#served.settle(servedId)
  }

  endServed(servedId: number, end: HandlerEnd): Promise<void> {
    return this.#served.end(servedId, end)
  }

  takeOver(listenerId: number, tickets: readonly number[]): Promise<readonly number[]> {
    const taker = this.#served.has(listenerId) ? this.#served : this.#listeners
    return taker.takeOver(listenerId, tickets)
  }

  lend(lanes: readonly LaneGrant[]): void {
    this.#listeners.lend(lanes)
  }

  giveBack(): readonly number[] {
    return this.#listeners.giveBack()
  }

  adopt(adoptions: readonly Adoption[]): readonly number[] {
    return this.#listeners.adopt(adoptions)
  }

  reject(acceptIds: readonly number[]): void {
    this.#listeners.reject(acceptIds)
  }

  ping(): void {
    // The answer is all that is asked for.
  }

  async turn(): Promise<void> {
    for (let i = 0; i < TURNS_TO_READ; i++) await nextTurn()
  }

  stop(): void {
    this.#pumps.destroyAll()
    for (const dialling of this.#dials.values()) dialling.abort()
    this.#onStop()
  }
}

async function outcomeOf(done: Promise<void>): Promise<Outcome> {
  try {
    await done
    return { ok: true }
  } catch (error) {
    return { ok: false, error: serializeError(error) }
  }
}
