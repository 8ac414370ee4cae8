/** Waiting without a clock: for turns of the event loop, or for a state that must come. */
import { setImmediate as immediate } from 'node:timers/promises'

export async function turns(count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await immediate()
}

/** Resolves once `reached()` returns true. The test's own timeout is the watchdog. */
export async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await immediate()
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
