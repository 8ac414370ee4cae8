/** Seeded randomness of tests. */
import { Random } from '../../perf/harness/seeded-random.js'

export { Random }

/** Bytes without a short period, so that a shifted or repeated piece of them is noticed. */
export function patternBytes(length: number, seed: number): Buffer {
  const random = new Random(seed)
  const numbers = Uint32Array.from({ length: Math.ceil(length / 4) }, () => random.next())
  return Buffer.from(numbers.buffer, 0, length)
}

/** The seed of this run: SYMPHONY_SEED repeats an earlier one. */
export function testSeed(): number {
  const given = process.env['SYMPHONY_SEED']
  if (given === undefined || given === '') return Math.floor(Math.random() * 2 ** 31)
  const seed = Number(given)
  if (!Number.isSafeInteger(seed)) throw new Error(`SYMPHONY_SEED is not an integer: ${given}`)
  return seed
}
