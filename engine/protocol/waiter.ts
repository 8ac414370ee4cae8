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

  /** `onTimeout` makes the error of the deadline, if it has another to say than the usual ERR_TIMEOUT. */
  constructor(
    what: string,
    endpoint: string,
    options: WaitOptions,
    clock: Clock,
    onGivenUp: () => void,
    onTimeout?: () => TransportError | undefined,
  ) {
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
      const onAbort = (): void => giveUp(abortError(what, endpoint, signal.reason))
      this.#cleanUp.push(whenAborted(signal, onAbort))
    }
    if (timeoutMs !== undefined) {
      const timeout = (): TransportError => onTimeout?.() ?? timeoutError(what, endpoint, timeoutMs)
      this.#cleanUp.push(clock.setTimer(() => giveUp(timeout()), timeoutMs))
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

/** All who wait for the same thing. Each leaves the set when it is served or gives up. */
export class WaiterSet<T> {
  readonly #what: string
  readonly #endpoint: string
  readonly #clock: Clock
  /** Made when it is first needed: most connections never wait. */
  #waiters: Set<Waiter<T>> | undefined

  /** `what` begins the message of the error of one who gives up. */
  constructor(what: string, endpoint: string, clock: Clock) {
    this.#what = what
    this.#endpoint = endpoint
    this.#clock = clock
  }

  get size(): number {
    return this.#waiters?.size ?? 0
  }

  /** Rejects with ERR_ABORTED at once, and adds nothing, if the signal is aborted already. */
  wait(options: WaitOptions): Promise<T> {
    const aborted = abortedBefore(this.#what, this.#endpoint, options)
    if (aborted !== undefined) return Promise.reject(aborted)
    const waiters = (this.#waiters ??= new Set())
    const waiter = new Waiter<T>(this.#what, this.#endpoint, options, this.#clock, () => waiters.delete(waiter))
    waiters.add(waiter)
    return waiter.promise
  }

  resolveAll(value: T): void {
    for (const waiter of this.#waiters ?? []) waiter.resolve(value)
    this.#waiters?.clear()
  }

  rejectAll(error: Error): void {
    for (const waiter of this.#waiters ?? []) waiter.reject(error)
    this.#waiters?.clear()
  }
}

/** All waits on one signal share one listener, since hosts share a signal for a shutdown. */
class SignalWaiters {
  readonly callbacks = new Set<() => void>()
  readonly onAbort = (): void => {
    for (const callback of [...this.callbacks]) callback()
  }
}

const waitersOf = new WeakMap<AbortSignal, SignalWaiters>()

/** Calls `callback` when the signal is aborted; the returned function prevents it. */
function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  const waiters = waitersOf.get(signal) ?? new SignalWaiters()
  const { callbacks, onAbort } = waiters
  waitersOf.set(signal, waiters)
  if (callbacks.size === 0) signal.addEventListener('abort', onAbort)
  callbacks.add(callback)
  return () => {
    if (callbacks.delete(callback) && callbacks.size === 0) signal.removeEventListener('abort', onAbort)
  }
}

/** Why a wait cannot begin: its signal is aborted already. Undefined: it can. */
export function abortedBefore(what: string, endpoint: string, { signal }: WaitOptions): TransportError | undefined {
  return signal?.aborted === true ? abortError(what, endpoint, signal.reason) : undefined
}

function timeoutError(what: string, endpoint: string, timeoutMs: number): TransportError {
  const message = `${what}: nothing came within ${String(timeoutMs)} ms. Retry, or allow more time.`
  return new TransportError('ERR_TIMEOUT', message, { endpoint })
}

export function abortError(what: string, endpoint: string, reason: unknown): TransportError {
  return new TransportError('ERR_ABORTED', `${what}: aborted by its signal.`, { cause: reason, endpoint })
}
