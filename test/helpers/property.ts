/**
 * Runs a property under AVA, `numRuns` times at the long length. The error that falsified it is in the report, with
 * the seed that repeats it.
 */
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import { byLength } from './length.js'

export function holds<T>(t: ExecutionContext, property: fc.IProperty<T>, numRuns = 100): void {
  const runs = byLength({ short: Math.ceil(numRuns / 4), long: numRuns })
  fc.assert(property, { numRuns: runs, includeErrorInReport: true })
  t.pass()
}
