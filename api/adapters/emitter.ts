/** A connection as an event emitter, for code that was written for sockets of `node:net`. */
import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Frame } from '../../engine/common/frame.js'
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { toDuplex } from './duplex.js'

/** Events of a `FrameEmitter`, with what a listener gets. */
export interface FrameEvents {
  /** A frame. They flow from the moment that there is a listener, or after `resume()`. */
  data: [frame: Buffer]
  /** There is room again, after `write()` has returned false. */
  drain: []
  /** The peer has ended its side, and its last frame was emitted. */
  end: []
  /** Our side has ended, and all has left. */
  finish: []
  /** What ended the connection, if it did not end cleanly. Without a listener it is an uncaught exception. */
  error: [error: Error]
  /** The last event. */
  close: []
}

/** As a `net.Socket` whose chunks are frames: also empty ones, and each in one piece. */
export interface FrameEmitter
  extends EventEmitter<FrameEvents>, Pick<Duplex, 'destroyed' | 'closed' | 'errored' | 'writableEnded'> {
  /** Sends a frame. False: wait for `drain` before the next one. `done` is called once there is room for it. */
  write(frame: Frame, done?: (error?: Error | null) => void): boolean
  /** Ends our side, behind everything written. */
  end(): this
  /** Ends the connection at once. With an error, that is emitted. */
  destroy(error?: Error): this
  /** No more frames are emitted, and at last the peer has to wait. */
  pause(): this
  resume(): this
  isPaused(): boolean
}

/**
 * It is the connection's one consumer, and owns it: `toDuplex()` with `objectMode`, and with the types of these events.
 * A frame that cannot be sent destroys it, as a stream does.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toEmitter(connection: Adaptable): FrameEmitter {
  assertConnection(connection, 'toEmitter()')
  return toDuplex(connection, { objectMode: true }) as unknown as FrameEmitter
}
