/** One direction of a lane in one thread: its words, its regions, a producer and a consumer. */
import { HEADER_SLAB_BYTES, LaneTable } from '../../engine/protocol/lane.js'
import { SlabTable, type Slab } from '../../engine/protocol/slab-table.js'
import {
  FRAME_HEADER_BYTES,
  inWords,
  orderFor,
  outWords,
  regionIdOf,
  UNIT_BYTES,
} from '../../engine/protocol/ring-layout.js'
import { RingConsumer, RingProducer } from '../../engine/protocol/ring.js'

export interface LaneFixtureOptions {
  readonly direction?: 'out' | 'in'
  readonly laneId?: number
  readonly ringBytes?: number
  /** Where HEAD and TAIL begin, any integer: it is taken modulo 2^32. */
  readonly start?: number
}

const GUARD = 0xa5
/** Each region lies in a slab of its own between two that must not be touched. */
const REGIONS = 3
const IN_USE = 1

export class LaneFixture {
  readonly words: Int32Array
  readonly base: number
  readonly start: number
  readonly producer: RingProducer
  readonly consumer: RingConsumer
  /** Two tables over the same memory, as two threads have them. */
  readonly #producerSlabs = new SlabTable()
  readonly #consumerSlabs = new SlabTable()
  readonly #slabs: Slab[] = []

  constructor(options: LaneFixtureOptions = {}) {
    const { direction = 'out', laneId = 0, ringBytes = 4096, start = 0 } = options
    const table = new LaneTable()
    while (table.capacity <= laneId) table.addHeaders(new SharedArrayBuffer(HEADER_SLAB_BYTES))
    this.words = table.wordsOf(laneId)
    this.base = table.baseOf(laneId)
    this.start = start | 0
    const names = direction === 'out' ? outWords : inWords
    const region = this.addRegion(ringBytes)
    this.words[this.base + names.region] = region
    this.words[this.base + names.regionAck] = region
    this.words[this.base + names.tail] = this.start
    this.words[this.base + names.head] = this.start
    this.producer = new RingProducer(this.words, this.base, names, this.#producerSlabs)
    this.consumer = new RingConsumer(this.words, this.base, names, this.#consumerSlabs)
  }

  addRegion(bytes: number): number {
    const id = this.#slabs.length + 1
    const descriptor = { id, memory: new SharedArrayBuffer(bytes * REGIONS) }
    this.#producerSlabs.add(descriptor)
    const slab = this.#consumerSlabs.add(descriptor)
    slab.bytes.fill(GUARD, 0, bytes * IN_USE)
    slab.bytes.fill(GUARD, bytes * (IN_USE + 1))
    this.#slabs.push(slab)
    return regionIdOf(id, (bytes * IN_USE) / UNIT_BYTES, orderFor(bytes))
  }

  /** Whether no byte outside the regions was written. */
  get guardsIntact(): boolean {
    return this.#slabs.every(({ bytes }) => {
      const regionBytes = bytes.length / REGIONS
      const inUse = regionBytes * IN_USE
      return isGuard(bytes.subarray(0, inUse)) && isGuard(bytes.subarray(inUse + regionBytes))
    })
  }
}

function isGuard(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === GUARD)
}

/** A frame as it lies in a ring. */
export function encodeFrame(payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  frame.writeUInt32LE(payload.length)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** Writes bytes that are known to fit, and publishes them. */
export function publishBytes(producer: RingProducer, bytes: Uint8Array): void {
  producer.write(bytes, 0, bytes.length)
  producer.publish()
}
