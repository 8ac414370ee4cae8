/** Values as the text of a frame, and back. What comes from a peer is bounded before it is parsed. */
import { isUtf8 } from 'node:buffer'
import { describe } from '../../../engine/common/describe.js'
import { TransportError } from '../../../engine/protocol/errors.js'

const OPENING = [0x5b, 0x7b] as const
const CLOSING = [0x5d, 0x7d] as const
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** How many levels deep arrays and objects may lie in each other unless the host says otherwise. */
export const DEFAULT_DEPTH = 1_000

const PROTO = '__proto__'
/** Text without these has no such key, however it is escaped. */
const PROTO_SIGNS = /__proto__|\\u00[567]/

/** As the second parameter of `JSON.stringify()`. */
type Replacer = (key: string, value: unknown) => unknown

/** Its type does not say that there is no text for undefined, functions and symbols. */
const stringify: (value: unknown, replacer?: Replacer) => string | undefined = JSON.stringify

/** @throws {TransportError} ERR_INVALID_FRAME */
export function encodeJson(value: unknown, endpoint: string, replacer?: Replacer): string {
  let text: string | undefined
  try {
    text = stringify(value, replacer)
  } catch (cause) {
    const why = 'a BigInt, a circle, more levels than the stack holds, or a toJSON() that throws'
    throw invalidFrame(`this value cannot be written as JSON, because of ${why}. See the cause.`, endpoint, cause)
  }
  if (text === undefined)
    throw invalidFrame(`JSON has no text for ${describe(value)}. Send null, or an object.`, endpoint)
  return text
}

/** @throws {TransportError} ERR_INVALID_MESSAGE */
export function decodeJson(frame: Buffer, maxDepth: number, endpoint: string): unknown {
  const refuse = (problem: string, cause?: unknown): TransportError => invalidMessage(problem, endpoint, cause)
  if (!isUtf8(frame)) throw refuse('is no UTF-8 text')
  // A text of so many bytes cannot be deeper, as most frames cannot.
  if (frame.length > maxDepth && isDeeper(frame, maxDepth))
    throw refuse(`is more than ${String(maxDepth)} levels deep (maxDepth)`)
  try {
    const text = frame.toString('utf8')
    return PROTO_SIGNS.test(text) ? JSON.parse(text, refuseProto) : (JSON.parse(text) as unknown)
  } catch (cause) {
    throw refuse(cause instanceof ProtoKey ? `has the key ${PROTO}` : 'is not JSON', cause)
  }
}

/** What a peer sent came whole, and is no message. */
export function invalidMessage(problem: string, endpoint: string, cause?: unknown): TransportError {
  const advice = cause === undefined ? 'Check what the peer sends.' : 'Check what the peer sends; see the cause.'
  return new TransportError('ERR_INVALID_MESSAGE', `a frame of the peer ${problem}. ${advice}`, { cause, endpoint })
}

function invalidFrame(message: string, endpoint: string, cause?: unknown): TransportError {
  return new TransportError('ERR_INVALID_FRAME', message, { cause, endpoint })
}

class ProtoKey extends Error {}

/** Such a key does no harm here. Copied into another object by assignment, it would change that one's prototype. */
function refuseProto(key: string, value: unknown): unknown {
  if (key === PROTO) throw new ProtoKey(`the key ${PROTO} could change the prototype of an object that it is copied to`)
  return value
}

/** Whether arrays and objects lie more than so many levels deep in each other. Whatever else is wrong is not seen. */
function isDeeper(text: Buffer, most: number): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (byte === QUOTE) at = endOfString(text, at + 1)
    else if (byte === OPENING[0] || byte === OPENING[1]) {
      if (++depth > most) return true
    } else if (byte === CLOSING[0] || byte === CLOSING[1]) depth--
  }
  return false
}

/** The quote that ends a string, or the end of the text. */
function endOfString(text: Buffer, from: number): number {
  let at = from
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1
  return at
}
