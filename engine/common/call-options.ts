/** Checks of options that are given with each call: by hand, since a schema would cost more than the call. */
import { describe, isArray, isObject } from './describe.js'
import { TransportError } from '../protocol/errors.js'
import type { OnError } from './handler-failures.js'
import type { OnHandlerLog } from './handler-log.js'
import { functionCheck } from './option-checks.js'
import { checkOptions, readOptions, type Checks } from './option-problems.js'
import type { WaitOptions } from '../protocol/waiter.js'

/** The longest time that a timer can keep, in milliseconds. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** How long a `close()` waits for others, in milliseconds, if its caller does not say. */
export const graceMs = { engine: 1_000, listener: 0, served: 0, pool: 1_000 } as const

type ListenWait = WaitOptions & { readonly onError?: OnError | undefined }

interface HandlerOptions extends ListenWait {
  readonly handler: URL | string
  readonly data?: unknown
  readonly setupTimeoutMs?: number | undefined
  readonly teardownTimeoutMs?: number | undefined
  readonly host?: object | undefined
  readonly onLog?: OnHandlerLog | undefined
}

const timeCheck = (value: unknown): string | undefined =>
  isTime(value) ? undefined : `a number from 0 to ${String(LONGEST_TIMER_MS)} milliseconds`

const waitChecks = {
  signal: (value: unknown) => (isSignal(value) ? undefined : 'an AbortSignal'),
  timeoutMs: timeCheck,
} satisfies Checks

const listenChecks = {
  ...waitChecks,
  onError: functionCheck,
} satisfies Checks

const handlerChecks = {
  ...listenChecks,
  handler: (value: unknown) =>
    value instanceof URL || typeof value === 'string' ? undefined : 'the URL of a module, or its absolute path',
  data: () => undefined,
  setupTimeoutMs: timeCheck,
  teardownTimeoutMs: timeCheck,
  host: (value: unknown) => (isObject(value) ? undefined : 'an object of functions'),
  onLog: functionCheck,
} satisfies Checks

const subscribeChecks = {
  borrow: (value: unknown) => (typeof value === 'boolean' ? undefined : 'true or false'),
} satisfies Checks

/** What is wrong with them; undefined: nothing. */
export function checkWaitOptions(options: WaitOptions, where: string): TransportError | undefined {
  return isFine(options) ? undefined : checkOptions(options, waitChecks, where)
}

/** What `connect()` takes. @throws {TransportError} ERR_INVALID_OPTION */
export function readConnectOptions(options: unknown): WaitOptions {
  return readOptions<WaitOptions>(options, waitChecks, 'connect()')
}

/** What `listen()` takes. @throws {TransportError} ERR_INVALID_OPTION */
export function readListenOptions(options: unknown): ListenWait {
  return readOptions<ListenWait>(options, listenChecks, 'listen()')
}

/** What `listen()` or `connect()` takes with a handler module, as given. @throws {TransportError} ERR_INVALID_OPTION */
export function readHandlerOptions(options: unknown, where: string): HandlerOptions {
  return readOptions<HandlerOptions>(options, handlerChecks, where)
}

/** What `subscribe()` takes: whether frames are to be lent. @throws {TransportError} ERR_INVALID_OPTION */
export function checkSubscription(handler: unknown, options: { readonly borrow?: unknown }): boolean {
  checkHandler(handler, 'subscribe()')
  return readOptions<{ readonly borrow?: unknown }>(options, subscribeChecks, 'subscribe()').borrow === true
}

/** @throws {TransportError} ERR_INVALID_OPTION */
export function checkHandler<T>(handler: T, where: string): T {
  if (typeof handler !== 'function') throw invalidOption(where, 'handler', 'it must be a function')
  return handler
}

/** What a `close()` takes: how long it waits, in milliseconds. @throws {TransportError} ERR_INVALID_OPTION */
export function readGraceMs(options: unknown, fallback: number): number {
  return readOptions<{ readonly graceMs?: number }>(options, { graceMs: timeCheck }, 'close()').graceMs ?? fallback
}

/** Accepts what nearly every call is given, without allocating. */
function isFine(options: unknown): boolean {
  try {
    if (typeof options !== 'object' || options === null || isArray(options)) return false
    const keys = Object.keys(options)
    // Without keys: only a literal is accepted here, since a Map has none either.
    if (keys.length === 0) return options.constructor === Object
    for (const key of keys) if (key !== 'signal' && key !== 'timeoutMs') return false
    const { signal, timeoutMs } = options as Record<string, unknown>
    return (signal === undefined || isSignal(signal)) && (timeoutMs === undefined || isTime(timeoutMs))
  } catch {
    // A getter or a proxy threw.
    return false
  }
}

function isSignal(value: unknown): boolean {
  return value instanceof AbortSignal
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER_MS
}

/** A batch of frames, of which so many are lent, was asked for another one. */
export function noFrame(index: unknown, lent: number): TransportError {
  const problem =
    lent === 0
      ? 'the handler has returned, and the frames are not lent any more. Use copy() in it for those that you keep'
      : `there is no frame ${typeof index === 'number' ? String(index) : describe(index)}: there are ${String(lent)}, counted from 0`
  return invalidOption('a batch of frames', 'index', problem)
}

export function invalidOption(where: string, option: string, problem: string, cause?: unknown): TransportError {
  return new TransportError(
    'ERR_INVALID_OPTION',
    `${where}: option ${option} is not valid: ${problem}. See docs/options.md for names, units and ranges.`,
    { cause },
  )
}
