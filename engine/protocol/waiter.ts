/** A promise that is settled from outside, by an abort, or by a deadline; whichever comes first, once. */
import type { Clock } from './clock.js'
import { TransportError } from './errors.js'

export interface WaitOptions {
  /** Gives the wait up: the promise rejects with `ERR_ABORTED`, the signal's reason as its cause. */
  readonly signal?: AbortSignal | undefined
  /** Gives the wait up after so many milliseconds with `ERR_TIMEOUT`. Default: never. */
  readonly timeoutMs?: number | undefined
}

export class Waiter<T> {
  readonly promise: Promise<T>
  #settle: { resolve: (value: T) => void; reject: (error: Error) => void } | undefined
  #cleanUp: (() => void)[] = []

  constructor(what: string, endpoint: string, options: WaitOptions, clock: Clock, onGivenUp: () => void) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    const { signal, timeoutMs } = options
    const giveUp = (error: TransportError): void => {
      if (this.#settle === undefined) return
      this.reject(error)
      onGivenUp()
    }
    if (signal !== undefined) {
      const onAbort = (): void => {
        giveUp(abortError(what, endpoint, signal.reason))
      }
      this.#cleanUp.push(whenAborted(signal, onAbort))
    }
    if (timeoutMs !== undefined) {
      const onTimeout = (): void => {
        giveUp(
          new TransportError(
            'ERR_TIMEOUT',
            `${what}: nothing came within ${String(timeoutMs)} ms. Retry, or allow more time.`,
            {
              endpoint,
            },
          ),
        )
      }
      this.#cleanUp.push(clock.setTimer(onTimeout, timeoutMs))
    }
  }

  get settled(): boolean {
    return this.#settle === undefined
  }

  resolve(value: T): void {
    this.#finish()?.resolve(value)
  }

  reject(error: Error): void {
    this.#finish()?.reject(error)
  }

  #finish(): { resolve: (value: T) => void; reject: (error: Error) => void } | undefined {
    const settle = this.#settle
    this.#settle = undefined
    for (const clean of this.#cleanUp) clean()
    this.#cleanUp = []
    return settle
  }
}

/**
 * Those who wait on one signal: a single listener of ours, however many they are. Hosts share a signal for a shutdown.
 */
class SignalWaiters {
  readonly #signal: AbortSignal
  readonly #callbacks = new Set<() => void>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  add(callback: () => void): void {
    if (this.#callbacks.size === 0) this.#signal.addEventListener('abort', this.#onAbort)
    this.#callbacks.add(callback)
  }

  remove(callback: () => void): void {
    if (!this.#callbacks.delete(callback)) return
    if (this.#callbacks.size === 0) this.#signal.removeEventListener('abort', this.#onAbort)
  }

  readonly #onAbort = (): void => {
    for (const callback of [...this.#callbacks]) callback()
  }
}

const waitersOf = new WeakMap<AbortSignal, SignalWaiters>()

/** Calls `callback` when the signal is aborted; the returned function prevents it. */
function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  const waiters = waitersOf.get(signal) ?? new SignalWaiters(signal)
  waitersOf.set(signal, waiters)
  waiters.add(callback)
  return () => {
    waiters.remove(callback)
  }
}

export function abortError(what: string, endpoint: string, reason: unknown): TransportError {
  return new TransportError('ERR_ABORTED', `${what}: aborted by its signal.`, { cause: reason, endpoint })
}
