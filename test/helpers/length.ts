/**
 * How much the tests try: `npm test` and CI run the short length, SYMPHONY_TEST_LENGTH=long the long one. The short
 * one has fewer rounds of properties, faults, torture and crowds. It also leaves out cases that try once more, at
 * another address, framing, fault or number of shards, what another case tries at both lengths.
 */
import process from 'node:process'

const lengths = ['short', 'long'] as const

function testLength(): (typeof lengths)[number] {
  const given = process.env['SYMPHONY_TEST_LENGTH'] ?? 'short'
  const known = lengths.find((length) => length === given)
  if (known === undefined) throw new Error(`SYMPHONY_TEST_LENGTH is one of ${lengths.join(', ')}, not ${given}`)
  return known
}

const isLong = testLength() === 'long'

/** What a test takes of anything, at each length. */
export function byLength<T>({ short, long }: { readonly short: T; readonly long: T }): T {
  return isLong ? long : short
}
