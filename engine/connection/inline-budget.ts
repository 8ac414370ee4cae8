/**
 * Which connections of an engine have a duplicate of their socket on main, and from which of them main reads. There are
 * few: each takes a descriptor, and where many connections are busy at once, waking the shard for all of them is
 * cheaper anyway. Reading makes more work for main than writing does, so these are fewer still.
 */
import type { Ledger } from '../common/ledger.js'
import type { Role } from '../protocol/target.js'
import { Places, type PlaceHolder } from './places.js'

/** The most duplicates of one engine. */
const MOST_DUPLICATES = 64
/**
 * The most connections that main reads from: of those that it has dialled, as many as a pool has by default. Who asks
 * is woken by each answer alone; who answers is often asked by several at once, which a shard reads at less cost.
 */
const MOST_READERS: Readonly<Record<Role, number>> = { dialled: 8, accepted: 4 }

export class InlineBudget {
  /** Those that main reads from. */
  readonly readers: Readonly<Record<Role, Places>> = {
    dialled: new Places(MOST_READERS.dialled),
    accepted: new Places(MOST_READERS.accepted),
  }
  readonly #ledger: Ledger
  readonly #duplicates = new Places(MOST_DUPLICATES)
  #flushes = 0

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** Flushes of all connections until now, by which it shows how many of them are busy. */
  get flushes(): number {
    return this.#flushes
  }

  onFlush(): void {
    this.#flushes++
  }

  /** Whether this one may have a duplicate; it takes one in any case until `release()`. */
  admit(holder: PlaceHolder): boolean {
    if (!this.#duplicates.admit(holder)) return false
    this.#ledger.open('duplicates')
    return true
  }

  used(holder: PlaceHolder): void {
    this.#duplicates.used(holder)
  }

  release(holder: PlaceHolder): void {
    if (this.#duplicates.release(holder)) this.#ledger.release('duplicates')
  }
}
