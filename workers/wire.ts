/** The verbs between a pump and the thing that moves its bytes. */
import type { SocketHandle } from '../engine/internals/socket-handle.js'
import type { FramingFault } from '../engine/protocol/framing.js'

/** More is not worth a `tryWrite()`: what `write()` costs beside the system's own work no longer shows. */
export const MAX_TRIED_BYTES = 16_384

/** A byte stream to the peer. It calls its owner back; none of its methods throws. */
export interface Wire {
  /** Starts reading, or goes on after `onRead` has returned false. */
  resume(): void
  /**
   * Gives the operating system what it takes at once of `length` bytes at `offset`, and returns how many it took; no
   * call follows. 0: `write()` is to be used, and meets the same error if there is one. Not while a write is in flight.
   */
  tryWrite(bytes: Uint8Array, offset: number, length: number): number
  /** Hands one or two segments to the operating system; `onWritten` follows. One write is in flight at a time. */
  write(first: Uint8Array, second: Uint8Array | undefined): void
  /** Ends the outgoing side, and without half-close the incoming side with it; `onFinished` follows. */
  end(): void
  /** Closes at once; `onClose` follows. */
  destroy(): void
  /** As `destroy()`, but the peer hears nothing of it while a duplicate of the socket is open. Undefined: it would. */
  leave?(): void
  /** Whether main may have a duplicate of the socket, so that it can read what this wire would. Undefined: never. */
  isDuplicated?(): boolean
  /** The socket that the bytes of `write` leave by as they are, while it is open. Undefined: there is none. */
  writer?(): SocketHandle | undefined
}

export interface WireOwner {
  /** Where the next read goes. Asked once before the first read and again after each `onRead`. */
  readView(): Buffer
  /** So many bytes were read into the view. False: stop reading until `resume()`. */
  onRead(length: number): boolean
  /** The peer's end of stream. */
  onEnd(): void
  onWritten(): void
  onFinished(): void
  /** Nothing that is written arrives any more, though reading may go on. */
  onWriteFailed(): void
  /** The last call, exactly once; the wire does not touch the owner's memory after it. */
  onClose(error: NodeJS.ErrnoException | FramingFault | undefined): void
}

/** A lane's end of a connection: the pump, or what translates its framing. */
export interface LaneEnd extends WireOwner {
  /** The connection is there, with this end as its owner. */
  attach(wire: Wire): void
}

/** The owner of a wire that translates the peer's framing. */
export interface FrameOwner extends LaneEnd {
  /** Whether bytes of a frame have come of which the owner knows nothing. Called before the reads that end this. */
  onHeldBack(isHeld: boolean): void
}
