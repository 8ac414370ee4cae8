/**
 * Memory for large frames that are lent, used again: fresh memory costs a page fault every 4 KiB, more than the copy
 * itself. All readers of the thread share it, so that a connection that rests holds none.
 */
import { takeMemory } from '../protocol/allocation.js'

/** What is kept for the next frames: so many pieces, of at most the largest frame that is accepted by default. */
const SPARES = 2
const SPARE_BYTES = 16_777_216
/** A piece that is more than so many times as large as what is wanted stays for a larger frame. */
const MOST_WASTE = 4

const spares: Buffer[] = []

/** At least so many bytes, which may hold anything. @throws {TransportError} ERR_OUT_OF_MEMORY */
export function takeScratch(bytes: number): Buffer {
  const i = spares.findIndex(({ length }) => length >= bytes && length <= bytes * MOST_WASTE)
  return i === -1 ? takeMemory(bytes) : (spares.splice(i, 1)[0] ?? takeMemory(bytes))
}

/** No handler looks at it any more. */
export function giveScratch(scratch: Buffer): void {
  if (scratch.length > SPARE_BYTES) return
  spares.push(scratch)
  // The oldest goes: what is used now is of the sizes that come now.
  if (spares.length > SPARES) spares.shift()
}
