/** A process warning fails the run: each one is a leak or a misuse that somebody would see in production. */
import process from 'node:process'
import test from 'ava'

export function failOnWarnings(): void {
  const warnings: string[] = []
  const remember = (warning: Error): void => {
    warnings.push(String(warning))
  }
  process.on('warning', remember)
  test.after.always('no process warning was emitted', (t) => {
    process.off('warning', remember)
    t.deepEqual(warnings, [])
  })
}
