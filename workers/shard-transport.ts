/** What a transport implements: `Dialler`, or `ListeningTransport` where its kind can be listened on. */
import type { SocketHandle } from '../engine/internals/socket-handle.js'
import type { ListenTarget, StdioDescriptor } from '../engine/protocol/target.js'
import type { Wire, WireOwner } from './wire.js'

/** `Target` is the transport's variant of `TransportTarget`. */
export interface Dialler<Target> {
  /** The wire reads nothing before its `resume()`. */
  dial(target: Target, owner: WireOwner, main: MainSide): Dialling
}

export interface ListeningTransport<Target> extends Dialler<Target> {
  /** Calls `onFailure` for what goes wrong once it listens. */
  listen(
    target: Target,
    backlog: number,
    onAccepted: (peer: AcceptedPeer) => void,
    onFailure: (error: Error) => void,
    descriptors: DescriptorSource,
  ): Promise<ListenHandle>
}

/** The descriptors that main has sent. */
export interface DescriptorSource {
  /** The one that comes with a ticket, the caller's own. Undefined: it was lost on its way. */
  receive(ticket: number): Promise<SocketHandle | undefined>
}

/** A dial under way. */
export interface Dialling {
  readonly connected: Promise<Wire>
  /** Gives it up: `connected` rejects, if it has not settled. */
  abort(): void
}

/** A dial that fails at once. */
export function refusedDial(error: Error): Dialling {
  return { connected: Promise.reject(error), abort: () => undefined }
}

/** A connection that a listener has accepted and that has no lane yet. Nothing is read from it. */
export interface AcceptedPeer {
  /** Undefined: no duplicate of it can be sent to another thread. */
  readonly handle?: SocketHandle
  adopt(owner: WireOwner): Wire
  reject(): void
}

export interface ListenHandle {
  /** Accepts nothing from here on; peers wait where the system keeps them. */
  pause(): void
  /** Accepts again. `target` is given anew: what was listened on may be closed by now. */
  resume(target: ListenTarget): Promise<void>
  close(): Promise<void>
}

/** What a transport asks of the main thread. */
export interface MainSide {
  /** The shard neither reads nor writes it any more: its peer is to learn of that. Resolves once it is done. */
  releaseStdio(descriptor: StdioDescriptor): Promise<void>
}
