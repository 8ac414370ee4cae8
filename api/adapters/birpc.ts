/** A connection as a channel of `birpc`, whose interface is written out here, so that package is not needed. */
import { TransportError } from '../../engine/protocol/errors.js'
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { atWork, handlerFailed } from './handlers.js'
import { decodeJson, DEFAULT_DEPTH, encodeJson, invalidMessage } from './json/json-text.js'
import { Incoming, sendMessage } from './messages.js'

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
  /** What is no message of birpc, or is more than 1,000 levels deep, is ERR_INVALID_MESSAGE. */
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
 * The channel is the connection's one consumer. A frame that is no message ends the connection with
 * ERR_INVALID_MESSAGE, and so does a function of birpc's options that throws, with ERR_HANDLER. The peer can call every
 * function that the object has or inherits: give birpc a `resolver` if that is too many.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toBirpcChannel(connection: Adaptable): BirpcChannel {
  assertConnection(connection, 'toBirpcChannel()')
  const { endpoint } = connection.info
  let incoming: Incoming | undefined
  const hand = (onMessage: OnMessage, frame: Buffer): void => {
    const handled = Promise.resolve(onMessage(frame)).catch((cause: unknown) => {
      if (!(cause instanceof TransportError)) handlerFailed(connection, 'subscriber', 'a message of birpc', cause)
      // An answer that comes too late is no failure.
      else if (cause.code !== 'ERR_CLOSED') connection.destroy(cause)
    })
    atWork(connection, handled)
  }
  return {
    post: (frame) => sendMessage(connection, frame, false),
    on: (given) => {
      // It calls back with what `deserialize` takes.
      const onMessage = given as OnMessage
      incoming = new Incoming(connection, (frame) => hand(onMessage, frame))
    },
    off: () => incoming?.stop(),
    serialize: (message) => writeMessage(message, endpoint),
    deserialize: (frame) => readMessage(frame, endpoint),
    attach: (rpc) => {
      void endOf(connection, incoming).then((cause) => rpc.$close(noAnswer(cause, endpoint)))
      return rpc
    },
  }
}

async function endOf(connection: Adaptable, incoming: Incoming | undefined): Promise<Error | undefined> {
  const cause = incoming === undefined ? (await connection.closed).cause : await incoming.over()
  // What still waits for room has failed with that by then, and birpc forgets it: it could not be rejected twice.
  await new Promise(setImmediate)
  return cause
}

function noAnswer(cause: Error | undefined, endpoint: string): TransportError {
  const message = `the connection has closed, and this call has no answer.${cause === undefined ? '' : ' See the cause.'}`
  return new TransportError('ERR_CLOSED', message, { cause, endpoint })
}

/** A result that JSON does not take is answered with an error: birpc would leave the call without an answer. */
function writeMessage(message: unknown, endpoint: string): string {
  try {
    return encodeJson(message, endpoint, plainErrors)
  } catch (error) {
    if (!isAnswer(message) || 'e' in message) throw error
    const { t, i } = message
    return encodeJson({ t, i, e: error }, endpoint, plainErrors)
  }
}

/** An error is an empty object to JSON. The stack stays here: it is no business of the peer. */
function plainErrors(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value
  const { name, message } = value
  const { code } = value as NodeJS.ErrnoException
  return { name, message, ...(typeof code === 'string' ? { code } : {}) }
}

function readMessage(frame: Uint8Array, endpoint: string): unknown {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length)
  const message = decodeJson(bytes, DEFAULT_DEPTH, endpoint)
  if (isRequest(message)) return message
  if (isAnswer(message)) return 'e' in message ? { ...message, e: reviveError(message.e) } : message
  throw invalidMessage('is no message of birpc: both ends need the same serialization', endpoint)
}

interface Answer {
  readonly t: 's'
  readonly i: string
  readonly e?: unknown
}

function has(value: unknown, type: string): value is object {
  return typeof value === 'object' && value !== null && (value as { readonly t?: unknown }).t === type
}

function isRequest(value: unknown): boolean {
  if (!has(value, 'q')) return false
  const { m, a } = value as { readonly m?: unknown; readonly a?: unknown }
  return typeof m === 'string' && Array.isArray(a)
}

function isAnswer(value: unknown): value is Answer {
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
