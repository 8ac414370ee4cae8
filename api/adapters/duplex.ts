/** A connection as a Node stream. */
import { Duplex } from 'node:stream'
import type { TransportError } from '../../engine/protocol/errors.js'
import { assertPresent } from '../../engine/common/frame.js'
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import type { Adaptable } from './adaptable.js'
import { endFully, waitForRoom } from './sending.js'

export interface DuplexOptions {
  /**
   * True: what is read and written are frames, also empty ones and strings. False (default): bytes; each frame is a
   * chunk, each chunk a frame, and what goes through pipes may come in other chunks than it was written in, so use it
   * with `raw` framing or where boundaries do not matter.
   */
  readonly objectMode?: boolean | undefined
}

const checks = {
  objectMode: (value: unknown) => (typeof value === 'boolean' ? undefined : 'true or false'),
} satisfies Checks

/**
 * The stream owns the connection: it is the connection's one consumer, ending it ends the outgoing side, and destroying
 * it destroys the connection. It is destroyed with what ended the connection, unless that ended cleanly. Backpressure
 * goes through: a write is done when the connection has room, and nothing is read before it is asked for.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toDuplex(connection: Adaptable, options: DuplexOptions = {}): Duplex {
  const { objectMode = false } = readOptions<DuplexOptions>(options, checks, 'toDuplex()')
  let reading = false
  let ended = false
  const stream = new Duplex({
    objectMode,
    allowHalfOpen: true,
    // Nothing is taken ahead: destroying the stream, with what has ended the connection, drops what it holds.
    readableHighWaterMark: 0,
    read() {
      if (reading) return
      reading = true
      const pull = async (): Promise<void> => {
        for (;;) {
          const frame = await connection.receive()
          if (frame === undefined) {
            ended = true
            stream.push(null)
            // Without allowHalfOpen our side has ended with it, and nothing can be written any more.
            connection.ready().catch(() => stream.end())
            return
          }
          // An empty chunk means nothing to a stream of bytes.
          if (frame.length === 0 && !objectMode) continue
          if (!stream.push(frame)) break
        }
        reading = false
      }
      pull().catch((error: unknown) =>
        stream.destroy(isUnexplained(error as TransportError) ? undefined : (error as Error)),
      )
    },
    write(chunk: Uint8Array | string, _encoding, done) {
      try {
        if (chunk.length === 0 && !objectMode) {
          if (typeof chunk !== 'string') assertPresent(chunk, connection.info.endpoint)
          done()
        } else if (connection.send(chunk)) done()
        else waitForRoom(connection).then(() => done(), done)
      } catch (error) {
        done(error as Error)
      }
    },
    final(done) {
      endFully(connection).then(() => done(), done)
    },
    destroy(error, done) {
      const isDone = error === null && stream.readableEnded && stream.writableFinished
      if (isDone) void connection.close()
      else connection.destroy(error ?? undefined)
      void connection.closed.then(({ cause }) => done(isDone ? (cause ?? null) : error))
    },
  })
  void connection.closed.then(({ code, cause }) => {
    if (cause === undefined) return
    if (isUnexplained({ code, cause: cause.cause })) {
      stream.destroy()
      return
    }
    // There may be no reader and no further write: the reason comes behind what was received, or to the writing side.
    if (!ended) stream.read(0)
    else if (stream.readableEnded) stream.destroy(cause)
    else stream.once('end', () => stream.destroy(cause))
  })
  return stream
}

/** Its owner has destroyed the connection and given no reason: that is no failure. */
function isUnexplained({ code, cause }: { readonly code: string; readonly cause?: unknown }): boolean {
  return code === 'ERR_ABORTED' && cause === undefined
}
