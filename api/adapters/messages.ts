/** What adapters of RPC libraries have in common: messages in order to the last, and answers that find no room. */
import { TransportError } from '../../engine/protocol/errors.js'
import type { Adaptable } from './adaptable.js'
import { waitForRoom } from './sending.js'

/** Hands on each frame until it is stopped, also those that came before the connection closed. */
export class Incoming {
  readonly #connection: Adaptable
  readonly #hand: (frame: Buffer) => void
  #stop: (() => void) | undefined

  /** @throws {TransportError} ERR_CONSUMER_BUSY */
  constructor(connection: Adaptable, hand: (frame: Buffer) => void) {
    this.#connection = connection
    this.#hand = hand
    this.#stop = connection.subscribe(hand)
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  /** Resolves when the connection is over and its last frame was handed on, with what ended it. */
  async over(): Promise<Error | undefined> {
    const { cause } = await this.#connection.closed
    if (this.#stop === undefined) return cause
    this.#stop()
    for (;;) {
      // The reason why it ended comes with its end.
      const frame = await this.#connection.receive().catch(() => undefined)
      if (frame === undefined) return cause
      this.#hand(frame)
    }
  }
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
