/**
 * Connections that a shard has accepted into lanes of its stock (see engine/shard/accepted-connections.ts): a log in
 * shared memory, written by the shard and read by main. Each entry uses up a lane of the stock, so there are never more
 * unread entries than the stock has lanes: the log cannot overflow.
 */

/** Lanes that one shard has in stock at most; a power of two. */
export const STOCK_LANES = 64

const TAIL = 0
/** In the next cache line. */
const ENTRIES = 16
const ENTRY_WORDS = 2
const WORDS = ENTRIES + STOCK_LANES * ENTRY_WORDS

/** What both sides count of one listener on one shard, modulo 2^32; each word has one writer. */
export class AcceptCounts {
  readonly words: Int32Array

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))) {
    this.words = words
  }

  addAccepted(): void {
    Atomics.add(this.words, 0, 1)
  }

  /** Main has adopted or rejected one more. */
  addTaken(): void {
    Atomics.add(this.words, 1, 1)
  }

  /** Accepted, and neither adopted nor rejected. */
  get untaken(): number {
    return (Atomics.load(this.words, 0) - Atomics.load(this.words, 1)) | 0
  }
}

export function createAcceptLog(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
}

export class AcceptLogWriter {
  readonly #words: Int32Array
  #tail = 0

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  push(listenerId: number, laneId: number): void {
    const at = entryAt(this.#tail)
    this.#words[at] = listenerId
    this.#words[at + 1] = laneId
    this.#tail = (this.#tail + 1) | 0
    // After the entry: a reader that sees the position sees the entry before it.
    Atomics.store(this.#words, TAIL, this.#tail)
  }
}

export class AcceptLogReader {
  readonly #words: Int32Array
  #head = 0

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  /** Hands each entry to `visit`, once; `visit` may call `read()` itself. */
  read(visit: (listenerId: number, laneId: number) => void): void {
    while (this.#head !== Atomics.load(this.#words, TAIL)) {
      const at = entryAt(this.#head)
      const listenerId = this.#words[at] ?? 0
      const laneId = this.#words[at + 1] ?? 0
      this.#head = (this.#head + 1) | 0
      visit(listenerId, laneId)
    }
  }
}

function entryAt(position: number): number {
  return ENTRIES + (position & (STOCK_LANES - 1)) * ENTRY_WORDS
}
