/** Reads the totals from AVA's output. */

export interface Totals {
  readonly passed: number
  readonly failed: number
}

/** The totals of one run; `code` is AVA's exit code. */
export function totalsOf(output: string, code: number | null): Totals {
  // Counted by their own lines: the closing line with their number is left out where something failed.
  const passed = [...output.matchAll(/^ *✔ /gm)].length
  let failed = 0
  const failures = /^ *(\d+) (?:(?:tests?|hooks?) failed|uncaught exceptions?|unhandled rejections?)/gm
  for (const [, digits] of output.matchAll(failures)) failed += Number(digits)
  // A failure without a test's name, such as a timeout of AVA or no tests at all, counts as one.
  if (failed === 0 && (code !== 0 || passed === 0)) failed = 1
  return { passed, failed }
}

/** The output without the lines of the tests that passed. */
export function withoutPassed(output: string): string {
  return output.replace(/^ *[✔ℹ].*\n/gm, '')
}
