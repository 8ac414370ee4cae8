/**
 * What becomes of a failure in any function of the host's: it goes to `onError`, or a process warning is
 * emitted, once for each place that fails and never many. None of them ends the process.
 */
import process from 'node:process'
import { TransportError } from '../protocol/errors.js'
import type { HandlerPlace } from '../protocol/handler-place.js'
import type { Clock } from '../protocol/clock.js'

export type { HandlerPlace } from '../protocol/handler-place.js'

/** A connection that answers for the functions that its frames were handed to. */
export interface HandlerHost {
  /** A function has failed over it: it is destroyed, and the failure is reported, unless it is only that of the end. */
  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void
  /** A function that was handed a frame works on it until this settles, and holds no other frame back. */
  atWork(pending: Promise<unknown>): void
}

/** What `onError` gets besides the error. */
export interface HandlerErrorContext {
  readonly where: HandlerPlace
  readonly endpoint: string
  /** `info.id` of the connection that it was called for; undefined: of one that has no user yet, or of none. */
  readonly connection: string | undefined
}

/** Called with each failure, instead of a process warning. `error`: ERR_HANDLER, with what was thrown as its cause. */
export type OnError = (error: TransportError, context: HandlerErrorContext) => unknown

const WINDOW_MS = 60_000
/** Warnings in one window: a host whose handlers all fail is to be told so, not to have its log filled. */
const MOST_WARNINGS = 10
/** Frames of a stack that tell one place from another: the first alone is often a library's. */
const SITE_FRAMES = 2

export class HandlerFailures {
  readonly #clock: Clock
  readonly #warnings: HandlerWarnings
  readonly #onError: OnError | undefined

  constructor(clock: Clock, onError: OnError | undefined, warnings = new HandlerWarnings(clock)) {
    this.#clock = clock
    this.#warnings = warnings
    this.#onError = onError
  }

  /** Of a part that may have an `onError` of its own. Warnings count together. */
  with(onError: OnError | undefined): HandlerFailures {
    return onError === undefined ? this : new HandlerFailures(this.#clock, onError, this.#warnings)
  }

  /** `error`: ERR_HANDLER, whose message says what failed and what was done, and whose cause is what was thrown. */
  report(error: TransportError, context: HandlerErrorContext): void {
    const onError = this.#onError
    if (onError === undefined) {
      this.#warnings.warn(error, context)
      return
    }
    attempt(
      () => onError(error, context),
      (cause) => {
        // It is not called again: the failure that it was called with becomes a warning.
        this.#warnings.warn(error, context)
        const message = 'onError failed, and was told of the failure above. See the cause.'
        const { endpoint } = context
        this.#warnings.warn(handlerError(message, cause, endpoint), { ...context, where: 'onError' })
      },
    )
  }

  /** Tells how many failures no warning was emitted for, if there are any. */
  flush(): void {
    this.#warnings.flush()
  }
}

class HandlerWarnings {
  readonly #clock: Clock
  /** Places that have failed in this window. */
  readonly #told = new Set<string>()
  #since = -Infinity
  #untold = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  warn(error: TransportError, { where, endpoint, connection }: HandlerErrorContext): void {
    const now = this.#clock.now()
    if (now - this.#since >= WINDOW_MS) {
      this.#since = now
      this.#told.clear()
    }
    const { cause } = error
    const thrown = show(cause)
    const site = `${where} ${siteOf(thrown) ?? endpoint}`
    if (this.#told.size >= MOST_WARNINGS || this.#told.has(site)) {
      this.#untold++
      return
    }
    this.#told.add(site)
    const who = connection === undefined ? endpoint : `${endpoint} (${connection})`
    const [summary = ''] = thrown.split('\n')
    emit(`${who}: ${error.message} ${summary}${this.#takeUntold()}`, thrown)
  }

  flush(): void {
    if (this.#untold > 0) emit(`handlers have failed.${this.#takeUntold()}`, undefined)
  }

  #takeUntold(): string {
    const count = this.#untold
    this.#untold = 0
    return count === 0 ? '' : ` (${String(count)} more failures since the last such warning)`
  }
}

/** What failed and what was done about it, with what was thrown as the cause. */
export function handlerError(message: string, cause: unknown, endpoint: string): TransportError {
  return new TransportError('ERR_HANDLER', message, { cause, endpoint })
}

/** Calls what the host gave. `fail` is called if it throws, or if what it returns rejects. */
export function attempt(call: () => unknown, fail: (cause: unknown) => void): void {
  try {
    const result = call()
    // By way of a promise of our own: a thenable's then() may throw.
    if (isThenable(result)) Promise.resolve(result).catch(fail)
  } catch (cause) {
    fail(cause)
  }
}

/** Where an answer is needed at once a promise is none, and its failure must not go unheard. */
export function notPromised<T>(answer: T, what: string): T {
  if (!isThenable(answer)) return answer
  Promise.resolve(answer).catch(() => undefined)
  throw new TypeError(`${what} returned a promise; it must answer at once`)
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function emit(message: string, detail: string | undefined): void {
  process.emitWarning(message, {
    type: 'TransportWarning',
    code: 'SYMPHONY_HANDLER_FAILED',
    ...(detail === undefined ? {} : { detail }),
  })
}

function siteOf(thrown: string): string | undefined {
  const frames = thrown.split('\n').filter((line) => /^\s+at /.test(line))
  return frames.length === 0 ? undefined : frames.slice(0, SITE_FRAMES).join()
}

/** Anything can be thrown, also what cannot be shown. */
function show(thrown: unknown): string {
  try {
    return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  } catch {
    return 'a value that cannot be shown'
  }
}
