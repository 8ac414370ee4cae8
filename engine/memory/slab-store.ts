/**
 * Shared memory of one size, for all shards of an engine and for those that come after them.
 *
 * A SharedArrayBuffer that is dropped stays until every thread that has seen it has collected its garbage, and shared
 * memory gives V8 no reason to. So what a shard gives back is kept for the next one that asks. What was spare for a
 * while is dropped in two steps. First the shards collect their garbage, which is cheap, since their heaps are small.
 * Then this thread keeps weak references only: the memory goes with the host's next full collection, and is used again
 * if it is needed before.
 */
import { takeSharedMemory } from '../protocol/allocation.js'
import type { Clock } from '../protocol/clock.js'

/** How long memory is spare before it is dropped. */
const SPARE_MS = 30_000

interface Spare {
  readonly memory: SharedArrayBuffer
  readonly since: number
}

export class SlabStore {
  readonly #bytes: number
  readonly #clock: Clock
  readonly #collectGarbage: (() => Promise<boolean>) | undefined
  #spare: Spare[] = []
  #dropped: WeakRef<SharedArrayBuffer>[] = []
  #cancelTimer: (() => void) | undefined
  #isClosed = false

  /** `collectGarbage`: see `Shard.collectGarbage()`. Undefined: spare memory stays. */
  constructor(bytes: number, clock: Clock, collectGarbage: (() => Promise<boolean>) | undefined) {
    this.#bytes = bytes
    this.#clock = clock
    this.#collectGarbage = collectGarbage
  }

  /** Memory that no shard has and that is not collected yet. */
  get spareBytes(): number {
    const uncollected = this.#dropped.filter((reference) => reference.deref() !== undefined)
    return (this.#spare.length + uncollected.length) * this.#bytes
  }

  /** @throws {TransportError} ERR_OUT_OF_MEMORY */
  take(): SharedArrayBuffer {
    return this.#spare.pop()?.memory ?? this.#find() ?? takeSharedMemory(this.#bytes)
  }

  /** No thread may look at it any more, nor have it in a table. */
  give(memory: SharedArrayBuffer): void {
    if (this.#isClosed) return
    this.#spare.push({ memory, since: this.#clock.now() })
    if (this.#collectGarbage !== undefined) this.#trimLater()
  }

  /** The engine has ended: nothing is kept. */
  close(): void {
    this.#isClosed = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#spare = []
    this.#dropped = []
  }

  #find(): SharedArrayBuffer | undefined {
    for (let last = this.#dropped.pop(); last !== undefined; last = this.#dropped.pop()) {
      const memory = last.deref()
      if (memory !== undefined) return memory
    }
    return undefined
  }

  #trimLater(): void {
    this.#cancelTimer ??= this.#clock.setTimer(() => void this.#trim(), SPARE_MS, { keepsAlive: false })
  }

  async #trim(): Promise<void> {
    const before = this.#clock.now() - SPARE_MS
    const isOld = ({ since }: Spare): boolean => since <= before
    const isGone = this.#spare.some(isOld) && (await this.#collectGarbage?.()) === true
    this.#cancelTimer = undefined
    if (this.#isClosed) return
    if (isGone) {
      this.#dropped.push(...this.#spare.filter(isOld).map(({ memory }) => new WeakRef(memory)))
      this.#spare = this.#spare.filter((spare) => !isOld(spare))
    }
    if (this.#spare.some((spare) => !isOld(spare))) this.#trimLater()
  }
}
