/**
 * Which connections of an engine have a duplicate of their socket on main. There are few: each takes a descriptor, and
 * where many connections are busy at once, waking the shard for all of them is cheaper anyway.
 */
import type { Ledger } from '../common/ledger.js'

/** The most duplicates of one engine. */
const MOST_DUPLICATES = 64
/** One that was not used while the others were used so often is given up for another connection. */
const UNUSED_AFTER = 1024

export interface DuplicateHolder {
  /** When its duplicate was last used, in uses of all. */
  lastUse: number
  /** Closes its duplicate. */
  yieldDuplicate(): void
}

export class InlineBudget {
  readonly #ledger: Ledger
  readonly #holders = new Set<DuplicateHolder>()
  #uses = 0

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** Whether this one may have a duplicate; it takes one in any case until `release()`. */
  admit(holder: DuplicateHolder): boolean {
    if (this.#holders.size >= MOST_DUPLICATES && !this.#makeRoom()) return false
    holder.lastUse = this.#uses
    this.#holders.add(holder)
    this.#ledger.open('duplicates')
    return true
  }

  used(holder: DuplicateHolder): void {
    holder.lastUse = ++this.#uses
  }

  release(holder: DuplicateHolder): void {
    if (this.#holders.delete(holder)) this.#ledger.release('duplicates')
  }

  #makeRoom(): boolean {
    let oldest: DuplicateHolder | undefined
    let oldestUse = this.#uses - UNUSED_AFTER
    for (const holder of this.#holders) {
      if (holder.lastUse > oldestUse) continue
      oldest = holder
      oldestUse = holder.lastUse
    }
    oldest?.yieldDuplicate()
    return oldest !== undefined
  }
}
