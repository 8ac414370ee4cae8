/**
 * Shared memory of one size, for all shards of an engine and for those that come after them.
 *
 * A SharedArrayBuffer that is dropped stays until the garbage collector of every thread that has seen it has run, and
 * nothing drives those: V8 does not count shared memory as a reason to collect. So what a shard gives back is kept for
 * the next one that asks, and there is never more than was in use at one time.
 *
 * What nobody has asked for in a while is let go of in two steps. First the shards collect their own garbage, which is
 * cheap, since their heaps are small, and say whether their references are gone. Then this thread keeps only weak
 * references: the memory goes with the host's next full collection, and until then is found again if it is needed, so
 * that even then none is made beside it.
 */
import { takeSharedMemory } from '../protocol/allocation.js'
import type { Clock } from '../protocol/clock.js'

/** How long memory is spare before it is let go of. */
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
  #letGo: WeakRef<SharedArrayBuffer>[] = []
  #cancelTimer: (() => void) | undefined
  #isClosed = false

  /**
   * `collectGarbage` makes other threads let go of what was given back, and says whether they have. Undefined: what is
   * spare stays.
   */
  constructor(bytes: number, clock: Clock, collectGarbage: (() => Promise<boolean>) | undefined) {
    this.#bytes = bytes
    this.#clock = clock
    this.#collectGarbage = collectGarbage
  }

  /** What no shard has and this thread still holds, or the host's collector has not taken yet. */
  get spareBytes(): number {
    const uncollected = this.#letGo.filter((reference) => reference.deref() !== undefined)
    return (this.#spare.length + uncollected.length) * this.#bytes
  }

  /** @throws {TransportError} ERR_OUT_OF_MEMORY */
  take(): SharedArrayBuffer {
    return this.#spare.pop()?.memory ?? this.#find() ?? takeSharedMemory(this.#bytes)
  }

  /** No thread looks at it any more, nor has it in a table. */
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
    this.#letGo = []
  }

  #find(): SharedArrayBuffer | undefined {
    for (let last = this.#letGo.pop(); last !== undefined; last = this.#letGo.pop()) {
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
      this.#letGo.push(...this.#spare.filter(isOld).map(({ memory }) => new WeakRef(memory)))
      this.#spare = this.#spare.filter((spare) => !isOld(spare))
    }
    if (this.#spare.some((spare) => !isOld(spare))) this.#trimLater()
  }
}
