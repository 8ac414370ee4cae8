/** Waiting without a clock: for turns of the event loop, or for a state that must come. */
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises'

export async function turns(count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await immediate()
}

/** So soon do most states come. */
const SPINNING_TURNS = 100

/**
 * Resolves once `reached()` returns true. The test's own timeout is the watchdog. What takes long is looked for less
 * often, since spinning takes the processor from what is waited for.
 */
export async function until(reached: () => boolean): Promise<void> {
  for (let turn = 0; !reached(); turn++) await (turn < SPINNING_TURNS ? immediate() : delay(1))
}

/** A promise that is settled from outside. */
export interface Signal<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

export function signal<T = void>(): Signal<T> {
  let settle: ((value: T) => void) | undefined
  const promise = new Promise<T>((resolve) => {
    settle = resolve
  })
  return { promise, resolve: (value) => settle?.(value) }
}
