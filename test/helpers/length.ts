/**
 * How long those tests run that try much: properties, faults, torture, crowds. `npm test` runs the short length; CI
 * runs the long one, SYMPHONY_TEST_LENGTH=long. Each case is there at both.
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
