/** A connection as a pair of web streams, whose chunks are frames. */
import { ReadableStream, WritableStream } from 'node:stream/web'
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { endFully, waitForRoom } from './sending.js'

export interface WebStreams {
  /** Frames, each in separate memory. Cancelling it destroys the connection. */
  readonly readable: ReadableStream<Uint8Array>
  /** Each chunk is sent as one frame. Closing it ends the outgoing side, aborting it destroys the connection. */
  readonly writable: WritableStream<Uint8Array | string>
}

/**
 * The streams own the connection: they are its one consumer. Backpressure goes through, both ways.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toWebStreams(connection: Adaptable): WebStreams {
  assertConnection(connection, 'toWebStreams()')
  // Aborting waits for the write or the end under way, which may wait for a peer that takes nothing.
  let aborted: AbortSignal | undefined
  return {
    readable: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const frame = await connection.receive()
          if (frame === undefined) controller.close()
          else controller.enqueue(frame)
        },
        cancel(reason: unknown) {
          connection.destroy(reason instanceof Error ? reason : undefined)
        },
      },
      // Nothing is taken ahead: the ring is the queue.
      { highWaterMark: 0 },
    ),
    writable: new WritableStream<Uint8Array | string>({
      start(controller) {
        // Its type does not say it yet.
        aborted = (controller as unknown as { readonly signal: AbortSignal }).signal
        void connection.closed.then(({ cause }) => {
          if (cause !== undefined) controller.error(cause)
        })
      },
      async write(chunk) {
        if (!connection.send(chunk)) await waitForRoom(connection, aborted)
      },
      close: () => endFully(connection, aborted),
      abort(reason: unknown) {
        connection.destroy(reason instanceof Error ? reason : undefined)
      },
    }),
  }
}
