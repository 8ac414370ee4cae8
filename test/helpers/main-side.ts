/** A shard's pumps over lanes whose main is the test: it has main's end of each ring, and hears the bell. */
import { BellListener, BellNotifier, createBellMemory } from '../../engine/protocol/bell.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { createCounters } from '../../engine/protocol/counters.js'
import type { HopClock } from '../../engine/protocol/hop-clock.js'
import type { LaneGrant } from '../../engine/protocol/lane.js'
import { inWords, outWords, type lane } from '../../engine/protocol/ring-layout.js'
import { RingConsumer, RingProducer } from '../../engine/protocol/ring.js'
import { ShardLoads } from '../../engine/protocol/shard-loads.js'
import type { SlabTable } from '../../engine/protocol/slab-table.js'
import { OwnLoad } from '../../workers/own-load.js'
import { Pumps } from '../../workers/lanes/pumps.js'
import { Meter } from '../../workers/meter.js'
import { createLanes, createRegions } from './fresh-memory.js'
import { publishBytes } from './lane-fixture.js'

const RING_BYTES = 4096

type Word = (typeof lane)[keyof typeof lane]

export class MainSide {
  readonly pumps: Pumps
  readonly loads = ShardLoads.create(2)
  /** Of shard 0. */
  readonly load = new OwnLoad(this.loads, 0)
  readonly bell: BellNotifier
  readonly #listener: BellListener
  readonly #regions = createRegions({
    addSlab: (slab) => {
      this.pumps.slabs.add(slab)
      return Promise.resolve()
    },
    removeSlab: (id) => void this.pumps.slabs.remove(id),
  })
  readonly #lanes = createLanes(this.#regions, (memory) => this.pumps.lanes.addHeaders(memory))

  /** `hopClock`: what the shard notes times by. Undefined: it notes none. */
  constructor(hopClock?: HopClock) {
    this.loads.add(0)
    const memory = createBellMemory()
    this.#listener = new BellListener(memory)
    this.bell = new BellNotifier(memory, () => undefined)
    this.pumps = new Pumps(this.bell, new Meter(createCounters(), systemClock), this.load, hopClock)
  }

  takeLane(ringBytes = RING_BYTES): MainLane {
    const grant = this.#lanes.take(ringBytes)
    return new MainLane(grant, this.#lanes.table.wordsOf(grant.id), this.#lanes.table.baseOf(grant.id), this.#regions)
  }

  /** Lanes of which the shard has notified main since it was last asked. */
  takeNotified(): readonly number[] {
    const ids: number[] = []
    this.#listener.take((id) => ids.push(id))
    return ids
  }
}

export class MainLane {
  readonly grant: LaneGrant
  readonly #words: Int32Array
  readonly #base: number
  readonly #out: RingProducer
  readonly #in: RingConsumer
  readonly #table: SlabTable

  constructor(grant: LaneGrant, words: Int32Array, base: number, { table }: ReturnType<typeof createRegions>) {
    this.grant = grant
    this.#words = words
    this.#base = base
    this.#table = table
    this.#out = new RingProducer(words, base, outWords, table)
    this.#in = new RingConsumer(words, base, inWords, table)
  }

  send(text: string): void {
    publishBytes(this.#out, Buffer.from(text))
  }

  get room(): number {
    return this.#out.refreshFree()
  }

  /** Takes what the shard has published, and gives the room back. */
  receive(): string {
    const bytes = Buffer.alloc(this.#in.refresh())
    this.#in.read(bytes, 0, bytes.length)
    this.#in.consume(bytes.length)
    this.#in.release()
    return String(bytes)
  }

  /** Main's end while the shard has lent it the reading. */
  inProducer(): RingProducer {
    return new RingProducer(this.#words, this.#base, inWords, this.#table)
  }

  load(word: Word): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  store(word: Word, value: number): void {
    Atomics.store(this.#words, this.#base + word, value)
  }
}
