/**
 * Tells main what happens with the connections of one listener, a turn's worth at a time. Main may be slow to take it
 * up: then one report waits for its answer and the rest collects here, within bounds. What came and went meanwhile is
 * not told at all, and of failures and log lines only so many; main learns how many were left out.
 */
import { describe, nameOf } from '../../engine/common/describe.js'
import type { HandlerLog } from '../../engine/common/handler-module.js'
import { serializeError, type SerializedError, type TransportError } from '../../engine/protocol/errors.js'
import type { HandlerPlace } from '../../engine/protocol/handler-place.js'
import type {
  HandlerFailureReport,
  HandlerLogLevel,
  HandlerLogLine,
  HandlerReport,
  ThrownValue,
} from '../../engine/protocol/handling.js'

const MOST_ENDED = 1_000
const MOST_FAILURES = 100
const MOST_LOG_LINES = 1_000
/** Characters of what was thrown: a message may quote all that a peer has sent. */
const LONGEST_TEXT = 16_384

export class HandlerReports {
  readonly #send: (report: HandlerReport) => Promise<unknown>
  #opened = new Set<string>()
  #closed: { readonly id: string; readonly error: SerializedError | undefined }[] = []
  #failures: HandlerFailureReport[] = []
  #logs: HandlerLogLine[] = []
  #refused = 0
  #omitted = 0
  #state: 'idle' | 'due' | 'sending' | 'behind' = 'idle'
  /** Of what is on its way to main, and of what has come since. */
  #sentWaiters: (() => void)[] = []
  #waiters: (() => void)[] = []

  /** `send` resolves when main has taken the report up, or is gone. */
  constructor(send: (report: HandlerReport) => Promise<unknown>) {
    this.#send = send
  }

  readonly log: HandlerLog = {
    debug: (message, details) => this.#log('debug', message, details),
    info: (message, details) => this.#log('info', message, details),
    warn: (message, details) => this.#log('warn', message, details),
    error: (message, details) => this.#log('error', message, details),
  }

  opened(id: string): void {
    this.#opened.add(id)
    this.#sendSoon()
  }

  closed(id: string, error: TransportError | undefined): void {
    if (this.#closed.length >= MOST_ENDED && this.#opened.delete(id)) return
    this.#closed.push({ id, error: error && serializeError(error) })
    this.#sendSoon()
  }

  refused(): void {
    this.#refused++
    this.#sendSoon()
  }

  failed(where: HandlerPlace, message: string, thrown: unknown, connection: string | undefined): void {
    if (this.#failures.length >= MOST_FAILURES) this.#omitted++
    else this.#failures.push({ where, message, connection, thrown: describeThrown(thrown) })
    this.#sendSoon()
  }

  /** Resolves when main has taken up all that was reported until now, or is gone. A module may log for ever. */
  flushed(): Promise<void> {
    if (this.#state === 'idle') return Promise.resolve()
    const waiters = this.#state === 'sending' ? this.#sentWaiters : this.#waiters
    return new Promise((resolve) => waiters.push(resolve))
  }

  #log(level: HandlerLogLevel, message: string, details: unknown): void {
    if (this.#logs.length >= MOST_LOG_LINES) this.#omitted++
    else this.#logs.push({ level, message: messageOf(message), details: cloneable(details), at: Date.now() })
    this.#sendSoon()
  }

  #sendSoon(): void {
    if (this.#state === 'sending') this.#state = 'behind'
    if (this.#state !== 'idle') return
    this.#state = 'due'
    setImmediate(this.#sendNow)
  }

  readonly #sendNow = (): void => {
    const report: HandlerReport = {
      opened: [...this.#opened],
      closed: this.#closed,
      refused: this.#refused,
      failures: this.#failures,
      logs: this.#logs,
      omitted: this.#omitted,
    }
    this.#opened = new Set()
    this.#closed = []
    this.#failures = []
    this.#logs = []
    this.#refused = 0
    this.#omitted = 0
    this.#sentWaiters = this.#waiters
    this.#waiters = []
    this.#state = 'sending'
    this.#send(report).then(this.#onAnswered, this.#onAnswered)
  }

  readonly #onAnswered = (): void => {
    for (const resolve of this.#sentWaiters) resolve()
    this.#sentWaiters = []
    if (this.#state === 'behind') this.#sendNow()
    else this.#state = 'idle'
  }
}

/** Anything can be thrown, also what cannot be shown, or is an error with parts that no other thread can get. */
export function describeThrown(thrown: unknown): ThrownValue {
  try {
    if (thrown instanceof Error) {
      const { name, message, stack, code } = thrown as Readonly<Record<keyof ThrownValue, unknown>>
      return {
        name: clip(textOf(name)),
        message: clip(textOf(message)),
        stack: typeof stack === 'string' ? clip(stack) : undefined,
        code: typeof code === 'string' ? code : undefined,
      }
    }
    return { name: 'Error', message: nameOf(thrown), stack: undefined, code: undefined }
  } catch {
    return { name: 'Error', message: 'a value that cannot be shown', stack: undefined, code: undefined }
  }
}

function clip(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
}

/** Who logs an error in place of a text means to have it whole. */
function messageOf(message: unknown): string {
  if (!(message instanceof Error)) return textOf(message)
  const { name, message: text, stack } = describeThrown(message)
  return stack ?? `${name}: ${text}`
}

/** A text it should be. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value instanceof Error ? nameOf(value) : describe(value)
}

function cloneable(details: unknown): unknown {
  if (details === undefined) return undefined
  try {
    return structuredClone(details)
  } catch {
    return textOf(details)
  }
}
