/** Requests and their answers over a connection, for those who want no RPC library. Both sides may ask. */
import { checkWaitOptions, invalidOption, LONGEST_TIMER_MS } from '../../../engine/common/call-options.js'
import { describe, isObject } from '../../../engine/common/describe.js'
import { integerCheck } from '../../../engine/common/option-checks.js'
import { readOptions, type Checks } from '../../../engine/common/option-problems.js'
import { systemClock, type Clock } from '../../../engine/protocol/clock.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { WaitOptions } from '../../../engine/protocol/waiter.js'
import type { Adaptable } from '../adaptable.js'
import { assertConnection } from '../arguments.js'
import { atWork, handlerFailed } from '../handlers.js'
import { jsonChecks, JsonFrames, type JsonOptions } from '../json/json.js'
import { invalidMessage } from '../json/json-text.js'
import { Calls } from './calls.js'
import { messageOf, wireOf, type Message, type Params } from './messages.js'
import { ServedRequests, type RequestHandler } from './served-requests.js'

const MAX_PENDING = 1_000
const MOST_PENDING = 1_000_000
const TIMEOUT_MS = 30_000

export interface RequestsOptions extends Pick<JsonOptions, 'onInvalid' | 'maxDepth'> {
  /**
   * What the peer may call, by name. A handler gets the parameters, which are whatever the peer sent, and a `signal`
   * that is aborted when the caller gives up or the connection ends. What it returns, or its promise resolves to, is
   * the answer. What it throws goes to the caller with its message and its `code`.
   */
  readonly handlers?: Readonly<Record<string, RequestHandler>> | undefined
  /**
   * How many calls may wait for their answers, and how many calls of the peer may be worked on, 1 to 1,000,000.
   * Default 1,000. One more is refused with ERR_BACKPRESSURE.
   */
  readonly maxPending?: number | undefined
  /** How long a call waits for its answer unless it says otherwise, in milliseconds, at least 1. Default 30,000. */
  readonly timeoutMs?: number | undefined
}

/** Any methods at all. */
export type AnyMethods = Readonly<Record<string, (params?: object) => unknown>>

/** What is given to a method: an object or an array, as its first parameter says. */
export type RequestParameters<Method> = Method extends (...args: infer Args) => unknown
  ? Args extends readonly []
    ? [params?: undefined]
    : Args extends readonly [infer Given, ...unknown[]]
      ? [params: Given]
      : Args extends readonly [(infer Given)?, ...unknown[]]
        ? [params?: Given]
        : never
  : never

/** What a method answers: its result, with null in place of undefined. */
export type RequestResult<Method> = Method extends (...args: never[]) => infer Result
  ? Awaited<Result> extends infer Value
    ? // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- a method may return nothing
      Value extends undefined | void
      ? null
      : Value
    : never
  : never

/** `Remote`: the methods of the peer, with their parameters and results. Nothing checks that it has them. */
export interface Requests<Remote = AnyMethods> {
  /** Calls of this side that wait for their answers. */
  readonly pending: number
  /** Handlers of this side that are at work. */
  readonly atWork: number

  /**
   * Calls a method of the peer, with an object or an array that can be written as JSON, or nothing. Resolves to what
   * its handler returned; a result that was undefined is null. Rejects with a `RemoteError` if that failed, or there is
   * none; with ERR_TIMEOUT after `timeoutMs` or ERR_ABORTED by `signal`, and tells the peer so; and with what ended
   * the connection: ERR_RESET also if it ended cleanly, and if a reconnecting one was lost.
   * ERR_CLOSED, ERR_BACKPRESSURE, ERR_INVALID_FRAME, ERR_FRAME_TOO_LARGE and ERR_INVALID_OPTION mean that nothing was
   * sent; after all others the request may have arrived.
   */
  call<Name extends keyof Remote & string>(
    method: Name,
    ...args: [...RequestParameters<Remote[Name]>, options?: WaitOptions]
  ): Promise<RequestResult<Remote[Name]>>

  /**
   * Calls a method and wants no answer: whether it is there, and what became of it, is not known. True: go on; false:
   * the connection has no room, so wait for its `ready()`.
   * @throws {TransportError} as `send()` of the connection, and ERR_INVALID_OPTION
   */
  notify<Name extends keyof Remote & string>(method: Name, ...params: RequestParameters<Remote[Name]>): boolean
}

const checks = {
  onInvalid: jsonChecks.onInvalid,
  maxDepth: jsonChecks.maxDepth,
  handlers: (value: unknown) =>
    isObject(value) && Object.values(value).every((handler) => typeof handler === 'function')
      ? undefined
      : 'an object of functions',
  maxPending: integerCheck(1, MOST_PENDING),
  timeoutMs: (value: unknown) =>
    typeof value === 'number' && value >= 1 && value <= LONGEST_TIMER_MS
      ? undefined
      : `a number from 1 to ${String(LONGEST_TIMER_MS)} milliseconds`,
} satisfies Checks

/** A call that waits keeps no process alive: its connection does. */
const quietClock: Clock = {
  ...systemClock,
  setTimer: (fn, ms) => systemClock.setTimer(fn, ms, { keepsAlive: false }),
}

/**
 * Reads the connection from here on, and is its one consumer. It ends with the connection, which stays the caller's to
 * end. Each frame is a message of JSON-RPC 2.0, in a framing that keeps frames apart (not `raw`). A frame that is none
 * destroys the connection with ERR_INVALID_MESSAGE, unless `onInvalid` takes it. The handler of a notification that
 * fails destroys it with ERR_HANDLER.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function requests<Remote = AnyMethods>(connection: Adaptable, options: RequestsOptions = {}): Requests<Remote> {
  assertConnection(connection, 'requests()')
  return new PeerRequests(connection, readOptions<RequestsOptions>(options, checks, 'requests()'), quietClock)
}

export class PeerRequests<Remote> implements Requests<Remote> {
  readonly #connection: Adaptable
  readonly #endpoint: string
  readonly #json: JsonFrames<object, Message>
  readonly #calls: Calls
  readonly #served: ServedRequests

  constructor(connection: Adaptable, options: RequestsOptions, clock: Clock) {
    const { handlers = {}, maxPending = MAX_PENDING, timeoutMs = TIMEOUT_MS, onInvalid, maxDepth } = options
    this.#connection = connection
    this.#endpoint = connection.info.endpoint
    this.#json = new JsonFrames(connection, { validate: messageOf, onInvalid, maxDepth }, clock)
    const send = (message: Message): boolean => this.#json.send(wireOf(message))
    this.#calls = new Calls({ endpoint: this.#endpoint, maxPending, timeoutMs, clock, send })
    this.#served = new ServedRequests({
      // Names of what every object has, such as toString, are no methods.
      handlers: new Map(Object.entries(handlers)),
      maxPending,
      send,
      ready: () => connection.ready(),
      atWork: (pending) => atWork(connection, pending),
      onNotificationFailed: (method, cause) =>
        handlerFailed(connection, 'adapter', `the handler of the notification ${JSON.stringify(method)}`, cause),
    })
    const unwatch = this.#watchLosses()
    void connection.closed.then(() => {
      unwatch?.()
      this.#served.end('the connection has ended')
    })
    void this.#listen().then((error) => this.#end(error))
  }

  get pending(): number {
    return this.#calls.pending
  }

  get atWork(): number {
    return this.#served.atWork
  }

  call<Name extends keyof Remote & string>(
    method: Name,
    ...args: [...RequestParameters<Remote[Name]>, options?: WaitOptions]
  ): Promise<RequestResult<Remote[Name]>> {
    const [params, options = {}] = args as readonly unknown[] as readonly [params?: unknown, options?: WaitOptions]
    const wrong = checkWaitOptions(options, 'call()') ?? this.#wrongCall('call()', method, params)
    if (wrong !== undefined) return Promise.reject(wrong)
    return this.#calls.call(method, params as Params | undefined, options) as Promise<RequestResult<Remote[Name]>>
  }

  notify<Name extends keyof Remote & string>(method: Name, ...args: RequestParameters<Remote[Name]>): boolean {
    const [params] = args as readonly [params?: unknown]
    const wrong = this.#wrongCall('notify()', method, params)
    if (wrong !== undefined) throw wrong
    return this.#json.send(wireOf({ kind: 'notification', method, params: params as Params | undefined }))
  }

  /** JSON-RPC has no other parameters. */
  #wrongCall(where: string, method: unknown, params: unknown): TransportError | undefined {
    if (typeof method !== 'string')
      return invalidOption(where, 'method', `it must be a string, got ${describe(method)}`)
    if (params === undefined || (typeof params === 'object' && params !== null)) return undefined
    return invalidOption(where, 'params', `it must be an object or an array, got ${describe(params)}`)
  }

  /** Resolves to what ended the connection; undefined: it ended cleanly. */
  async #listen(): Promise<TransportError | undefined> {
    try {
      for (;;) {
        const message = await this.#json.receive()
        if (message === undefined) return undefined
        const room = this.#take(message)
        if (room !== undefined) await room
      }
    } catch (error) {
      const reason = error as TransportError
      if (reason.code === 'ERR_INVALID_MESSAGE') this.#connection.destroy(reason)
      return reason
    }
  }

  /** A promise: the next message has to wait. */
  #take(message: Message): Promise<void> | undefined {
    switch (message.kind) {
      case 'request':
        if (this.#served.isAtWork(message.id)) this.#refuse('has the id of a request that is being worked on')
        else this.#served.serve(message)
        return undefined
      case 'notification':
        return this.#served.notify(message)
      case 'cancel':
        this.#served.cancel(message.id)
        return undefined
      case 'result':
      case 'failure':
        this.#calls.answered(message)
        return undefined
    }
  }

  /** A message that is valid by itself. */
  #refuse(problem: string): void {
    const error = invalidMessage(problem, this.#endpoint)
    if (!this.#json.skips(error)) throw error
  }

  #end(error: TransportError | undefined): void {
    const message = 'the connection has ended, or is read by someone else. Nothing was sent.'
    this.#calls.end(new TransportError('ERR_CLOSED', message, { cause: error, endpoint: this.#endpoint }))
    // ERR_CLOSED is kept for calls that were not sent.
    const code = error === undefined || error.code === 'ERR_CLOSED' ? 'ERR_RESET' : error.code
    this.#calls.lose(code, 'the connection ended before the answer came.', error)
  }

  /** A reconnecting connection does not end when its peer does, whose answers will not come any more. */
  #watchLosses(): (() => void) | undefined {
    const connection = this.#connection
    if (!isReconnecting(connection)) return undefined
    let before = connection.state
    return connection.onStateChange((state) => {
      const isLost = before === 'connected' && (state === 'connecting' || state === 'waiting')
      before = state
      if (!isLost) return
      this.#calls.lose('ERR_RESET', 'the connection was lost before the answer came.', undefined)
      this.#served.drop('the connection to the caller was lost')
    })
  }
}

interface Reconnecting {
  readonly state: string
  onStateChange(listener: (state: string) => unknown): () => void
}

function isReconnecting(connection: Adaptable): connection is Adaptable & Reconnecting {
  return 'onStateChange' in connection && 'state' in connection
}
