/** Messages of Comlink as they go over a connection: what they look like, and how they become a frame. */
import { deserialize, serialize } from 'node:v8'
import { TransportError } from '../../engine/protocol/errors.js'
import { decodeJson, DEFAULT_DEPTH, encodeJson, invalidMessage } from './json/json-text.js'

export type ComlinkCodec = 'v8' | 'json'

/** A request of `wrap()`, or an answer of `expose()`. */
export interface ComlinkMessage {
  readonly id?: unknown
  readonly type?: unknown
  readonly name?: string
  readonly value?: unknown
  readonly argumentList?: unknown
}

/**
 * What a frame holds: a channel and its message; without a message, that the channel is closed. Channel 0 is the
 * endpoint. Others are proxies: positive ones were made by who sends the frame, negative ones by who receives it.
 */
export type ComlinkFrame = readonly [channel: number, message?: ComlinkMessage]

const REQUESTS: readonly unknown[] = ['GET', 'SET', 'APPLY', 'CONSTRUCT', 'ENDPOINT', 'RELEASE']

const NO_MESSAGE = 'is no message of Comlink: both ends need the same codec'

/** Nobody sees what becomes of these: Comlink drops their promises, so that a rejection would end the process. */
const UNSEEN: readonly unknown[] = ['SET', 'RELEASE']

export function isRequest({ type }: ComlinkMessage): boolean {
  return REQUESTS.includes(type)
}

/** Whether its failure has to be an answer like any other. */
export function isUnseen({ type }: ComlinkMessage): boolean {
  return UNSEEN.includes(type)
}

/** The answer to a request that gets none. */
export function answerFor(id: unknown, type: unknown, error: TransportError): ComlinkMessage {
  if (UNSEEN.includes(type)) return { id, type: 'RAW', value: undefined }
  const { name, message, stack, code } = error
  return { id, type: 'HANDLER', name: 'throw', value: { isError: true, value: { name, message, stack, code } } }
}

/** What crosses as a proxy, in the only places where Comlink puts one. */
interface ProxyValue {
  readonly type: 'HANDLER'
  readonly name: 'proxy'
  readonly value: unknown
}

function isProxy(value: unknown): value is ProxyValue {
  const { type, name } = (typeof value === 'object' && value !== null ? value : {}) as Partial<ProxyValue>
  return type === 'HANDLER' && name === 'proxy'
}

/** The message with what `change` makes of each proxy in it. */
export function mapProxies(message: ComlinkMessage, change: (value: unknown) => unknown): ComlinkMessage {
  const map = (value: unknown): unknown => (isProxy(value) ? { ...value, value: change(value.value) } : value)
  const { argumentList, value } = message
  const mapped = map(message) as ComlinkMessage
  if (Array.isArray(argumentList)) return { ...mapped, argumentList: argumentList.map(map) }
  return isProxy(value) ? { ...mapped, value: map(value) } : mapped
}

/** @throws {TransportError} ERR_INVALID_FRAME */
export function encodeFrame(frame: ComlinkFrame, codec: ComlinkCodec, endpoint: string): string | Uint8Array {
  if (codec === 'json') return encodeJson(frame, endpoint)
  try {
    return serialize(frame)
  } catch (cause) {
    const advice =
      'this value cannot be cloned, because of a function in it for example: pass that through `Comlink.proxy()`. See the cause.'
    throw new TransportError('ERR_INVALID_FRAME', advice, { cause, endpoint })
  }
}

/** @throws {TransportError} ERR_INVALID_MESSAGE */
export function decodeFrame(frame: Buffer, codec: ComlinkCodec, endpoint: string): ComlinkFrame {
  const value = codec === 'json' ? decodeJson(frame, DEFAULT_DEPTH, endpoint) : decodeClone(frame, endpoint)
  if (isFrame(value)) return value
  throw invalidMessage(NO_MESSAGE, endpoint)
}

function decodeClone(frame: Buffer, endpoint: string): unknown {
  try {
    return deserialize(frame) as unknown
  } catch (cause) {
    throw invalidMessage(NO_MESSAGE, endpoint, cause)
  }
}

function isFrame(value: unknown): value is ComlinkFrame {
  if (!Array.isArray(value)) return false
  const [channel, message] = value as readonly unknown[]
  return Number.isSafeInteger(channel) && (message === undefined || (typeof message === 'object' && message !== null))
}
