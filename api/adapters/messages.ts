/** What adapters of RPC libraries have in common: JSON in a frame, and answers for which there is no room. */
import { TransportError } from '../../engine/protocol/errors.js'
import type { Adaptable } from './adaptable.js'
import { waitForRoom } from './sending.js'

/** @throws {TransportError} ERR_INVALID_FRAME */
export function encodeJson(message: unknown, endpoint: string, replacer?: (key: string, value: unknown) => unknown): string {
  let text: string | undefined
  let cause: unknown
  try {
    text = JSON.stringify(message, replacer) as string | undefined
  } catch (error) {
    cause = error
  }
  if (text !== undefined) return text
  const advice = 'this message cannot be written as JSON, because of a BigInt or a circle in it for example. See the cause.'
  throw new TransportError('ERR_INVALID_FRAME', advice, { cause, endpoint })
}

/** Resolves when there is room for more. Rejects as `send()` throws, and with what ends the connection meanwhile. */
export async function sendMessage(connection: Adaptable, frame: string | Uint8Array, isAnswer: boolean): Promise<void> {
  if (!sendOrEnd(connection, frame, isAnswer)) await waitForRoom(connection)
}

/**
 * As `send()`. A peer that reads no answers would wait for this one for ever: where there is no room for it, the
 * connection ends with ERR_BACKPRESSURE.
 */
export function sendOrEnd(connection: Adaptable, frame: string | Uint8Array, isAnswer: boolean): boolean {
  try {
    return connection.send(frame)
  } catch (error) {
    if (isAnswer && error instanceof TransportError && error.code === 'ERR_BACKPRESSURE') connection.destroy(error)
    throw error
  }
}
