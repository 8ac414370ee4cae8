/** A connection whose frames are JSON. */
import type { SubscribeOptions } from '../../../engine/common/connection.js'
import { attempt, notPromised } from '../../../engine/common/handler-failures.js'
import { functionCheck, integerCheck } from '../../../engine/common/option-checks.js'
import { readOptions, type Checks } from '../../../engine/common/option-problems.js'
import { systemClock, type Clock } from '../../../engine/protocol/clock.js'
import type { TransportError } from '../../../engine/protocol/errors.js'
import type { WaitOptions } from '../../../engine/protocol/waiter.js'
import type { Adaptable } from '../adaptable.js'
import { assertConnection } from '../arguments.js'
import { handlerFailed } from '../handlers.js'
import { decodeJson, DEFAULT_DEPTH, encodeJson, invalidMessage } from './json-text.js'

const GREATEST_DEPTH = 10_000

export interface JsonOptions<Received = unknown> {
  /**
   * Gets each value that came, and returns it as what it is to be; what it throws makes the frame an invalid one, with
   * that as the cause. Default: values are taken as they come, and `Received` is unchecked.
   */
  readonly validate?: ((value: unknown) => Received) | undefined
  /**
   * Called with ERR_INVALID_MESSAGE for each frame that is not JSON, is too deep, has a key `__proto__`, or was refused
   * by `validate`; the frame is skipped. Default: such a frame makes `receive()` reject and a loop throw, and both may
   * go on with the frame behind it; from a subscription it destroys the connection.
   */
  readonly onInvalid?: ((error: TransportError) => unknown) | undefined
  /** How many levels deep arrays and objects may lie in each other, 1 to 10,000. Default 1,000. */
  readonly maxDepth?: number | undefined
}

/** A connection whose frames are values. `null` is a value; undefined is the end of the stream. */
export interface JsonConnection<Sent = unknown, Received = unknown> extends AsyncDisposable {
  /** As of the connection. */
  readonly closed: Adaptable['closed']
  /** As of the connection. */
  readonly info: Adaptable['info']

  /**
   * Sends a value as one frame, as `JSON.stringify()` writes it: members that are undefined are left out, and NaN is
   * null. True: go on; false: call `ready()` before sending more.
   * @throws {TransportError} ERR_INVALID_FRAME for undefined, functions, symbols, BigInts and circles, and all that
   * `send()` of the connection throws; nothing was sent then.
   */
  send(value: Sent): boolean

  /** As of the connection. */
  ready(options?: WaitOptions): Promise<void>

  /**
   * The next value; undefined at the end of the stream. Rejects with ERR_INVALID_MESSAGE for a frame that is no valid
   * one, which is gone then, unless `onInvalid` takes it; and as `receive()` of the connection does.
   */
  receive(options?: WaitOptions): Promise<Received | undefined>

  /** `for await (const value of …)`. Leaving the loop, also by an invalid frame, does not close the connection. */
  [Symbol.asyncIterator](): AsyncGenerator<Received, void, undefined>

  /**
   * Calls `handler` with each value, and as `subscribe()` of the connection does. A frame that is no valid one destroys
   * the connection with ERR_INVALID_MESSAGE, unless `onInvalid` takes it.
   * @returns A function that ends the subscription.
   * @throws {TransportError} ERR_CONSUMER_BUSY
   */
  subscribe(handler: (value: Received) => unknown): () => void

  /** As of the connection. */
  end(options?: WaitOptions): Promise<void>

  /** As of the connection. */
  close(): Promise<void>

  /** As of the connection. */
  destroy(reason?: Error): void
}

export const jsonChecks = {
  validate: functionCheck,
  onInvalid: functionCheck,
  maxDepth: integerCheck(1, GREATEST_DEPTH),
} satisfies Checks

/**
 * The framing has to keep frames apart, so it cannot be `raw`; `line` makes it JSON lines. How large a value may be is
 * the connection's `maxFrameBytes`. Use either the connection or what this returns to receive.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function json<Sent = unknown, Received = unknown>(
  connection: Adaptable,
  options: JsonOptions<Received> = {},
): JsonConnection<Sent, Received> {
  assertConnection(connection, 'json()')
  return new JsonFrames(connection, readOptions<JsonOptions<Received>>(options, jsonChecks, 'json()'), systemClock)
}

type Read<Received> =
  { readonly ok: true; readonly value: Received } | { readonly ok: false; readonly error: TransportError }

const BORROWED: SubscribeOptions = { borrow: true }

export class JsonFrames<Sent, Received> implements JsonConnection<Sent, Received> {
  readonly closed: Adaptable['closed']
  readonly #connection: Adaptable
  readonly #options: JsonOptions<Received>
  readonly #endpoint: string
  readonly #maxDepth: number
  readonly #clock: Clock

  constructor(connection: Adaptable, options: JsonOptions<Received>, clock: Clock) {
    this.closed = connection.closed
    this.#connection = connection
    this.#options = options
    this.#endpoint = connection.info.endpoint
    this.#maxDepth = options.maxDepth ?? DEFAULT_DEPTH
    this.#clock = clock
  }

  get info(): Adaptable['info'] {
    return this.#connection.info
  }

  send(value: Sent): boolean {
    return this.#connection.send(encodeJson(value, this.#endpoint))
  }

  ready(options?: WaitOptions): Promise<void> {
    return this.#connection.ready(options)
  }

  async receive(options: WaitOptions = {}): Promise<Received | undefined> {
    const since = this.#clock.now()
    for (let wait = options; ; wait = this.#rest(options, since)) {
      const frame = await this.#connection.receive(wait)
      if (frame === undefined) return undefined
      const read = this.#read(frame)
      if (read.ok) return read.value
      if (!this.skips(read.error)) throw read.error
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Received, void, undefined> {
    for (;;) {
      const value = await this.receive()
      if (value === undefined) return
      yield value
    }
  }

  subscribe(handler: (value: Received) => unknown): () => void {
    return this.#connection.subscribe((frame) => {
      const read = this.#read(frame)
      if (read.ok) return handler(read.value)
      if (!this.skips(read.error)) this.#connection.destroy(read.error)
      return undefined
    }, BORROWED)
  }

  end(options?: WaitOptions): Promise<void> {
    return this.#connection.end(options)
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  destroy(reason?: Error): void {
    this.#connection.destroy(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What is left of a wait that skipped a frame. */
  #rest({ signal, timeoutMs }: WaitOptions, since: number): WaitOptions {
    if (timeoutMs === undefined) return { signal }
    return { signal, timeoutMs: Math.max(0, timeoutMs - (this.#clock.now() - since)) }
  }

  #read(frame: Buffer): Read<Received> {
    try {
      return { ok: true, value: this.#validated(decodeJson(frame, this.#maxDepth, this.#endpoint)) }
    } catch (error) {
      return { ok: false, error: error as TransportError }
    }
  }

  #validated(value: unknown): Received {
    const { validate } = this.#options
    if (validate === undefined) return value as Received
    let valid: Received
    try {
      valid = notPromised(validate(value), 'validate()')
    } catch (cause) {
      throw invalidMessage('was refused by validate()', this.#endpoint, cause)
    }
    // To those who receive it would be the end of the stream.
    if (valid === undefined) throw invalidMessage('was turned into undefined by validate()', this.#endpoint)
    return valid
  }

  /** Tells `onInvalid`. True: it was there to be told, and the frame is to be passed over. */
  skips(error: TransportError): boolean {
    const { onInvalid } = this.#options
    if (onInvalid === undefined) return false
    attempt(
      () => onInvalid(error),
      (cause) => handlerFailed(this.#connection, 'adapter', 'onInvalid', cause),
    )
    return true
  }
}
