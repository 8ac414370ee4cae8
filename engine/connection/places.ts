/** A few places, for those who use them most. */

/** One that was not used while the others were used so often is given up for another holder. */
const UNUSED_AFTER = 1024

export interface PlaceHolder {
  /** When its place was last used, in uses of all. */
  lastUse: number
  /** Releases its place at once: another holder needs it. */
  giveWay(): void
}

export class Places {
  readonly #most: number
  readonly #holders = new Set<PlaceHolder>()
  #uses = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Whether `admit()` would have a place. */
  get hasRoom(): boolean {
    return this.#holders.size < this.#most || this.#unused !== undefined
  }

  /** Whether this one may have a place, which it takes until `release()`. */
  admit(holder: PlaceHolder): boolean {
    if (this.#holders.size >= this.#most) {
      const unused = this.#unused
      if (unused === undefined) return false
      unused.giveWay()
    }
    holder.lastUse = this.#uses
    this.#holders.add(holder)
    return true
  }

  used(holder: PlaceHolder): void {
    holder.lastUse = ++this.#uses
  }

  /** False: it had none. */
  release(holder: PlaceHolder): boolean {
    return this.#holders.delete(holder)
  }

  /** Nobody is to have a place. */
  clear(): void {
    for (const holder of this.#holders) holder.giveWay()
  }

  /** The one that was not used for longest, if that is long. */
  get #unused(): PlaceHolder | undefined {
    let oldest: PlaceHolder | undefined
    let oldestUse = this.#uses - UNUSED_AFTER
    for (const holder of this.#holders) {
      if (holder.lastUse > oldestUse) continue
      oldest = holder
      oldestUse = holder.lastUse
    }
    return oldest
  }
}
