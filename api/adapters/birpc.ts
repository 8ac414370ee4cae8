/**
 * A connection as a channel of `birpc`. Its interface is written out here, as far as used, so that package is not needed.
 */
import { TransportError } from '../../engine/protocol/errors.js'
import type { Adaptable } from './adaptable.js'
import { atWork, handlerFailed } from './handlers.js'
import { encodeJson, sendMessage } from './messages.js'

type OnMessage = (frame: Buffer) => unknown

/** What `createBirpc()` takes beside the functions. */
export interface BirpcChannel {
  /** Sends what `serialize` has made. Resolves when there is room for more. */
  readonly post: (frame: string | Uint8Array) => Promise<void>
  /** `createBirpc()` calls it once: reads from here on. @throws {TransportError} ERR_CONSUMER_BUSY */
  readonly on: (onMessage: (...frames: never[]) => unknown) => void
  readonly off: () => void
  /** JSON, in which an error has its name, message and code, and undefined in a list of arguments becomes null. */
  readonly serialize: (message: unknown) => string
  /** What is no message of birpc is ERR_INVALID_FRAME. */
  readonly deserialize: (frame: Uint8Array) => unknown
  /**
   * Closes the rpc with the connection, and returns it: pending calls reject with the reason, a TransportError. Without
   * it they wait until birpc's own timeout, of one minute by default.
   */
  readonly attach: <Rpc extends BirpcClosable>(rpc: Rpc) => Rpc
}

/** What `createBirpc()` returns, as far as used. */
export interface BirpcClosable {
  readonly $close: (error?: Error) => void
}

/**
 * The channel is the connection's one consumer. A frame that is no message ends the connection with ERR_INVALID_FRAME,
 * and so does a function of birpc's options that throws, with ERR_HANDLER. The peer can call every function that the
 * object has or inherits: give birpc a `resolver` if that is too many.
 */
export function toBirpcChannel(connection: Adaptable): BirpcChannel {
  const { endpoint } = connection.info
  let stop: (() => void) | undefined
  let isClosed = false
  const off = (): void => {
    stop?.()
    stop = undefined
  }
  const hand = (onMessage: OnMessage, frame: Buffer): void => {
    const handled = Promise.resolve(onMessage(frame)).catch((cause: unknown) => {
      // What comes too late to be answered is no failure.
      if (isClosed) return
      if (cause instanceof TransportError) connection.destroy(cause)
      else handlerFailed(connection, 'subscriber', 'a message of birpc', cause)
    })
    atWork(connection, handled)
  }
  void connection.closed.then(() => {
    isClosed = true
  })
  return {
    post: (frame) => sendMessage(connection, frame, false),
    on: (given) => {
      // It calls back with what `deserialize` takes.
      const onMessage = given as OnMessage
      stop = connection.subscribe((frame) => hand(onMessage, frame))
    },
    off,
    serialize: (message) => encodeJson(message, endpoint, plainErrors),
    deserialize: (frame) => readMessage(frame, endpoint),
    attach: (rpc) => {
      void endOf(connection, endpoint).then((error) => rpc.$close(error))
      return rpc
    },
  }
}

/** In a turn of its own: calls whose `post()` waits for room have failed with that by then, and birpc forgets them. */
async function endOf({ closed }: Adaptable, endpoint: string): Promise<TransportError> {
  const { cause } = await closed
  await new Promise(setImmediate)
  return new TransportError('ERR_CLOSED', 'the connection has closed: this call has no answer. See the cause.', {
    cause,
    endpoint,
  })
}

/** An error is an empty object to JSON. The stack stays here: it is no business of the peer. */
function plainErrors(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value
  const { name, message } = value
  const { code } = value as NodeJS.ErrnoException
  return { name, message, ...(typeof code === 'string' ? { code } : {}) }
}

function readMessage(frame: Uint8Array, endpoint: string): unknown {
  let cause: unknown
  try {
    const message = JSON.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString('utf8')) as unknown
    if (isRequest(message)) return message
    if (isAnswer(message)) return 'e' in message ? { ...message, e: reviveError(message.e) } : message
  } catch (error) {
    cause = error
  }
  const text = 'the peer sent what is no message of birpc. Check that both ends use the same serialization.'
  throw new TransportError('ERR_INVALID_FRAME', text, { cause, endpoint })
}

function has(value: unknown, type: string): value is object {
  return typeof value === 'object' && value !== null && (value as { readonly t?: unknown }).t === type
}

function isRequest(value: unknown): boolean {
  if (!has(value, 'q')) return false
  const { m, a } = value as { readonly m?: unknown; readonly a?: unknown }
  return typeof m === 'string' && Array.isArray(a)
}

function isAnswer(value: unknown): value is { readonly e?: unknown } {
  return has(value, 's') && typeof (value as { readonly i?: unknown }).i === 'string'
}

/** With what the peer's error had in JSON; anything else that was thrown stays what it is. */
function reviveError(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null) return thrown
  const { name, message, code } = thrown as Readonly<Record<string, unknown>>
  if (typeof message !== 'string') return thrown
  const error = new Error(message)
  if (typeof name === 'string') error.name = name
  return typeof code === 'string' ? Object.assign(error, { code }) : error
}
