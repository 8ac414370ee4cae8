/** Rings in main's memory: what was unread when a lane was given back. */
import { takeMemory } from '../protocol/allocation.js'
import { inWords, lane, LANE_WORDS, orderFor, regionIdOf, regionSizeFor } from '../protocol/ring-layout.js'
import { SlabTable } from '../protocol/slab-table.js'
import { distance, RingConsumer } from '../protocol/ring.js'

export interface DetachedRing {
  readonly ring: RingConsumer
  /** All that is in it. */
  readonly bytes: Buffer
}

/** Takes what is unread out of this ring. @throws {TransportError} ERR_OUT_OF_MEMORY; then it is unread as before. */
export function detachRing(ring: RingConsumer): DetachedRing {
  ring.refresh()
  const length = distance(ring.seen, ring.head)
  if (length === 0) return NOTHING_UNREAD
  // Not shared: only main looks at it, and V8 is slow to collect shared memory, which it does not count.
  const memory = takeMemory(regionSizeFor(length))
  const bytes = memory.subarray(0, length)
  // In pieces: what is unread may lie in two regions.
  for (let at = 0; at < length; ring.refresh()) {
    const readable = Math.min(ring.readable, length - at)
    ring.read(bytes, at, readable)
    ring.consume(readable)
    at += readable
  }
  return { ring: ringOver(memory.buffer, length), bytes }
}

function ringOver(memory: ArrayBuffer, length: number): RingConsumer {
  const words = new Int32Array(LANE_WORDS)
  const region = regionIdOf(1, 0, orderFor(memory.byteLength))
  const slabs = new SlabTable()
  slabs.add({ id: 1, memory })
  words[lane.IN_REGION] = region
  words[lane.IN_REGION_ACK] = region
  words[lane.IN_TAIL] = length
  return new RingConsumer(words, 0, inWords, slabs)
}

/** A ring that is never written; one serves all connections that left nothing unread. */
export const NOTHING_UNREAD: DetachedRing = {
  ring: ringOver(new ArrayBuffer(regionSizeFor(0)), 0),
  bytes: Buffer.alloc(0),
}
