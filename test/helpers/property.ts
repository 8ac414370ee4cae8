/** Runs a property under AVA. The error that falsified it is in the report, with the seed that repeats it. */
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'

export function holds<T>(t: ExecutionContext, property: fc.IProperty<T>, numRuns = 100): void {
  fc.assert(property, { numRuns, includeErrorInReport: true })
  t.pass()
}
