/** Timers as a test can replace them. */
export interface Clock {
  /** Milliseconds since some fixed moment. */
  now(): number
  /** Calls `fn` once; the returned function prevents it. `keepsAlive` (default true): the process waits for it. */
  setTimer(fn: () => void, ms: number, options?: { readonly keepsAlive: boolean }): () => void
  /** Calls `fn` after every message that is waiting now has been handled. */
  nextTurn(fn: () => void): void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(fn, ms, options) {
    const timer = setTimeout(fn, ms)
    if (options?.keepsAlive === false) timer.unref()
    return () => clearTimeout(timer)
  },
  nextTurn: (fn) => void setImmediate(fn),
}
