/** A process warning fails the run: each one is a leak or a misuse that somebody would see in production. */
import process from 'node:process'
import test from 'ava'
import { turns } from './turns.js'

/** How many expect warnings: they do not fail the run meanwhile. */
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

  /** The next one that was or will be emitted. */
  async next(): Promise<Warning> {
    for (;;) {
      const warning = this.#warnings.shift()
      if (warning !== undefined) return warning
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Those that were emitted until now and nobody has taken; after a turn, since Node tells them in the next tick. */
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
