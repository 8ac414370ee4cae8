/** A process warning fails the run, because each one is a leak or a misuse that would show in production. */
import process from 'node:process'
import test from 'ava'
import { turns } from './turns.js'

/** How many tests expect warnings now; meanwhile warnings do not fail the run. */
let expecting = 0

export interface Warning extends Error {
  readonly code?: string
  readonly detail?: string
}

/** Process warnings that a test expects. */
export class WarningBook {
  #warnings: Warning[] = []
  #wake: (() => void) | undefined
  readonly #remember = (warning: Error): void => {
    this.#warnings.push(warning)
    this.#wake?.()
  }

  constructor() {
    expecting++
    process.on('warning', this.#remember)
  }

  /** The next warning that was or will be emitted. */
  async next(): Promise<Warning> {
    for (;;) {
      const warning = this.#warnings.shift()
      if (warning !== undefined) return warning
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The untaken warnings until now; after a turn, because Node emits them in the next tick. */
  async rest(): Promise<Warning[]> {
    await turns()
    return this.#warnings.splice(0)
  }

  close(): void {
    expecting--
    process.off('warning', this.#remember)
  }
}

export function failOnWarnings(): void {
  const warnings: string[] = []
  const remember = (warning: Error): void => {
    if (expecting === 0) warnings.push(String(warning))
  }
  process.on('warning', remember)
  test.after.always('no process warning was emitted', (t) => {
    process.off('warning', remember)
    t.deepEqual(warnings, [])
  })
}
