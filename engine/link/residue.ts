/** Rings in memory of main's own: what was unread when a lane was given back. */
import { inWords, lane, LANE_WORDS, orderFor, regionIdOf, regionSizeFor } from '../shared/ring-layout.js'
import { SlabTable } from '../shared/region.js'
import { RingConsumer } from '../shared/ring.js'

export function ringOver(bytes: Uint8Array): RingConsumer {
  const words = new Int32Array(LANE_WORDS)
  const size = regionSizeFor(bytes.length)
  const region = regionIdOf(1, 0, orderFor(size))
  const slabs = new SlabTable()
  // Not shared: nobody else looks at it, and V8 is slow to collect shared memory, which it does not count.
  const slab = slabs.add({ id: 1, memory: new ArrayBuffer(size) })
  slab.bytes.set(bytes)
  words[lane.IN_REGION] = region
  words[lane.IN_REGION_ACK] = region
  words[lane.IN_TAIL] = bytes.length
  return new RingConsumer(words, 0, inWords, slabs)
}

let empty: RingConsumer | undefined

/** A ring that nobody writes; one serves all connections that left nothing unread. */
export function emptyRing(): RingConsumer {
  empty ??= ringOver(new Uint8Array(0))
  return empty
}
