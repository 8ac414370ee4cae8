/** The verbs between a pump and the thing that moves its bytes: all that a transport has to be. */

import type { FramingFault } from '../engine/protocol/framing.js'
import type { StdioDescriptor } from '../engine/protocol/target.js'
import type { ListenTarget } from '../engine/protocol/target.js'

/** A byte stream to the peer. It calls its owner back; none of its methods throws. */
export interface Wire {
  /** Whether `end()` leaves the incoming side open. */
  readonly halfClose: boolean
  /** Starts reading, or goes on after `onRead` has returned false. */
  resume(): void
  /** Hands one or two segments to the operating system; `onWritten` follows. One write is in flight at a time. */
  write(first: Uint8Array, second: Uint8Array | undefined): void
  /** Ends the outgoing side; `onFinished` follows. */
  end(): void
  /** Lets go at once; `onClose` follows. */
  destroy(): void
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
  /** The last call, exactly once; from here on nobody touches the memory. */
  onClose(error: NodeJS.ErrnoException | FramingFault | undefined): void
}

/** Whoever gets frames that a wire of ours has taken out of another framing. */
export interface FrameOwner extends WireOwner {
  /** Whether bytes of a frame have come that it knows nothing of. Told ahead of the reads that end this. */
  onHeldBack(isHeld: boolean): void
}

/** A connection that a listener has accepted and that has no lane yet. Nothing is read from it. */
export interface AcceptedPeer {
  adopt(owner: WireOwner): Wire
  reject(): void
}

/** A dial under way. */
export interface Dialling {
  readonly connected: Promise<Wire>
  abort(): void
}

export interface ListenHandle {
  /** AcceptedConnections nothing from here on; peers wait where the system keeps them. */
  pause(): void
  /** Goes on accepting. `target` is given anew: what was listened on may have had to be let go. */
  resume(target: ListenTarget): Promise<void>
  close(): Promise<void>
}

/** What a transport asks of the main thread. */
export interface MainSide {
  /** Nothing reads or writes it here any more: its peer is to learn of that. Resolves once it is done. */
  releaseStdio(descriptor: StdioDescriptor): Promise<void>
}

/** One kind of transport, as a shard sees it. `Target` is its variant of `TransportTarget`. */
export interface ShardTransport<Target> {
  dial(target: Target, owner: WireOwner, main: MainSide): Dialling
  listen(
    target: Target,
    backlog: number,
    onAccepted: (peer: AcceptedPeer) => void,
    onFailure: (error: Error) => void,
  ): Promise<ListenHandle>
}
