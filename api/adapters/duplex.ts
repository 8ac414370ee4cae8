/** A connection as a Node stream. */
import type { Duplex } from 'node:stream'
import { flagCheck } from '../../engine/common/option-checks.js'
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { ConnectionStream } from './connection-stream.js'

export interface DuplexOptions {
  /**
   * True: what is read and written are frames, also empty ones and strings. False (default): bytes; each frame is a
   * chunk, each chunk a frame, and what goes through pipes may come in other chunks than it was written in, so use it
   * with `raw` framing or where boundaries do not matter.
   */
  readonly objectMode?: boolean | undefined
}

const checks = {
  objectMode: flagCheck,
} satisfies Checks

/**
 * The stream owns the connection: it is the connection's one consumer, ending it ends the outgoing side, and destroying
 * it destroys the connection. It is destroyed with what ended the connection, unless that ended cleanly. Backpressure
 * goes through: a write is done when the connection has room, and nothing is read before it is asked for.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toDuplex(connection: Adaptable, options: DuplexOptions = {}): Duplex {
  assertConnection(connection, 'toDuplex()')
  const { objectMode = false } = readOptions<DuplexOptions>(options, checks, 'toDuplex()')
  return new ConnectionStream(connection, { objectMode, allowHalfOpen: true })
}
