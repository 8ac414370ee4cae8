/**
 * Connections of one listener that a handler module serves, counted by each shard in words that all of them and main
 * read: `maxConnections` is of all shards together. Each section has one writer, its shard; main writes it once that
 * shard is dead.
 */

const ACCEPTED = 0
const OPEN = 1
const REFUSED = 2
/** One cache line for each shard. */
const SECTION_WORDS = 16

export interface HandlerCountsSum {
  readonly accepted: number
  readonly open: number
  readonly refused: number
}

export class HandlerCounts {
  readonly words: Int32Array

  constructor(words: Int32Array) {
    this.words = words
  }

  static forShards(shards: number): HandlerCounts {
    return new HandlerCounts(
      new Int32Array(new SharedArrayBuffer(shards * SECTION_WORDS * Int32Array.BYTES_PER_ELEMENT)),
    )
  }

  /**
   * Counts one more connection as open, unless there are `max` on all shards. Two shards that do so at the same time
   * may both take the other's connection for the last one: then both refuse, and there are never more.
   */
  tryOpen(shard: number, max: number): boolean {
    const base = shard * SECTION_WORDS
    Atomics.add(this.words, base + OPEN, 1)
    if (this.#sum(OPEN) > max) {
      Atomics.sub(this.words, base + OPEN, 1)
      Atomics.add(this.words, base + REFUSED, 1)
      return false
    }
    Atomics.add(this.words, base + ACCEPTED, 1)
    return true
  }

  /** One that was counted as open was cut before it was served. */
  refuseOpened(shard: number): void {
    const base = shard * SECTION_WORDS
    Atomics.sub(this.words, base + OPEN, 1)
    Atomics.sub(this.words, base + ACCEPTED, 1)
    Atomics.add(this.words, base + REFUSED, 1)
  }

  /** One came that was cut and never counted as open. */
  refuse(shard: number): void {
    Atomics.add(this.words, shard * SECTION_WORDS + REFUSED, 1)
  }

  closed(shard: number): void {
    Atomics.sub(this.words, shard * SECTION_WORDS + OPEN, 1)
  }

  /** The shard is dead, and its connections with it. */
  lost(shard: number): void {
    Atomics.store(this.words, shard * SECTION_WORDS + OPEN, 0)
  }

  openOn(shard: number): number {
    return Atomics.load(this.words, shard * SECTION_WORDS + OPEN)
  }

  get sum(): HandlerCountsSum {
    return { accepted: this.#sum(ACCEPTED), open: this.#sum(OPEN), refused: this.#sum(REFUSED) }
  }

  #sum(word: number): number {
    let sum = 0
    for (let at = word; at < this.words.length; at += SECTION_WORDS) sum += Atomics.load(this.words, at)
    return sum
  }
}
