/**
 * How often each value was counted, to three significant digits: values that share their leading eleven bits share a
 * tally. Tallies take as little memory for a million values as for a thousand, can be added up, and cross processes as
 * text.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** Tallies of one power of two, so that a tally is never wider than a thousandth of its values. */
const HALF = 1_024
/** The largest value, which is more than three months in nanoseconds. */
const MOST = 2 ** 53 - 1

export class Tallies {
  readonly #counts = new Map<number, number>()
  #total = 0

  /** What `encoded` of another one was. */
  static decoded(text: string): Tallies {
    const tallies = new Tallies()
    const pairs = JSON.parse(inflateRawSync(Buffer.from(text, 'base64')).toString()) as [index: number, count: number][]
    for (const [index, count] of pairs) tallies.#addTo(index, count)
    return tallies
  }

  get encoded(): string {
    return deflateRawSync(JSON.stringify([...this.#counts])).toString('base64')
  }

  get total(): number {
    return this.#total
  }

  get mean(): number {
    let sum = 0
    for (const [index, count] of this.#counts) sum += middleOf(index) * count
    return sum / this.#total
  }

  /** A whole number of at least 0; a larger one than any counts as the largest. */
  count(value: number): void {
    this.#addTo(indexOf(Math.min(value, MOST)), 1)
  }

  add(others: Tallies): void {
    for (const [index, count] of others.#counts) this.#addTo(index, count)
  }

  /** The largest values of the tallies at these percentiles, which rise. NaN where nothing was counted. */
  valuesAt(percentiles: readonly number[]): number[] {
    const indexes = [...this.#counts.keys()].sort((a, b) => a - b)
    let next = 0
    let counted = 0
    return percentiles.map((percentile) => {
      // The smallest value that so many are not above; at least one of them.
      const wanted = Math.max(1, Math.ceil((percentile / 100) * this.#total))
      while (counted < wanted && next < indexes.length) counted += this.#counts.get(indexes[next++] ?? 0) ?? 0
      return next === 0 ? NaN : highestOf(indexes[next - 1] ?? 0)
    })
  }

  #addTo(index: number, count: number): void {
    this.#counts.set(index, (this.#counts.get(index) ?? 0) + count)
    this.#total += count
  }
}

/** Below 2,048 each value has a tally; then each power of two has 1,024 of them. */
function indexOf(value: number): number {
  if (value < 2 * HALF) return value
  const shift = Math.floor(Math.log2(value)) - Math.log2(HALF)
  return shift * HALF + Math.floor(value / 2 ** shift)
}

function widthOf(index: number): number {
  return index < 2 * HALF ? 1 : 2 ** (Math.floor(index / HALF) - 1)
}

function lowestOf(index: number): number {
  return index < 2 * HALF ? index : ((index % HALF) + HALF) * widthOf(index)
}

function highestOf(index: number): number {
  return lowestOf(index) + widthOf(index) - 1
}

function middleOf(index: number): number {
  return lowestOf(index) + (widthOf(index) - 1) / 2
}
