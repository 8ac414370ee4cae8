import type { Clock } from '../protocol/clock.js'

/** Resolves when the work is done, or after so many milliseconds. It goes on then, and may not reject. */
export function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.setTimer(resolve, ms)
    void work.then(() => {
      cancel()
      resolve()
    })
  })
}
