/** A seeded generator (xorshift32): the same seed gives the same test. */
export class Random {
  #state: number

  /** Several numbers make one seed: that of the run, and what tells the generators of a run apart. */
  constructor(...seeds: readonly number[]) {
    let state = 0x9e3779b9
    for (const seed of seeds) {
      state = Math.imul(state ^ seed, 0x85ebca6b)
      state = Math.imul(state ^ (state >>> 15), 0xc2b2ae35)
      state ^= state >>> 13
    }
    // xorshift never leaves 0.
    this.#state = state >>> 0 || 1
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.next() % limit
  }

  /** An integer from `first` to `last`, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1)
  }

  oneIn(many: number): boolean {
    return this.below(many) === 0
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0]
  }
}
