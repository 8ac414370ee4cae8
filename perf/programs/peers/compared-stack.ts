/**
 * What each compared peer does, in few verbs. One file a peer implements them in the way that its own documentation
 * recommends (docs/compare.md says where), so that one program plays every role over every peer.
 */
import { STAMPS } from '../../harness/messages.js'

/** Peers that speak JSON are given text: what they would have to do to bytes first is left out, in their favour. */
export type Payload = Uint8Array | string

export interface ComparedClient {
  /** What it sends from now on; message `n` of a round is the one at `n % STAMPS`. Making them is not measured. */
  prepare(messages: readonly Payload[]): void
  /** Sends the message with this stamp, and hands on its answer. One at a time. */
  ask(stamp: number, onAnswer: (answer: Payload) => void): void
  /** Sends so many messages in turn, as fast as the peer takes them; resolves once it has taken all. */
  pour(count: number): Promise<void>
}

export interface ComparedStack {
  readonly payload: 'bytes' | 'text'
  /** Answers each request with what it was given. */
  answer(): Promise<void>
  take(onMessage: (message: Payload) => void): Promise<void>
  /** One more connection. */
  connect(): Promise<ComparedClient>
  /** Why connections that asked for shared memory go over their sockets; undefined: they do not. */
  fallback?(): string | undefined
  /** True: everything was released. */
  close(): Promise<boolean>
}

export interface ComparedSettings {
  readonly path: string
  /** `ask`: requests and answers; `pour`: a stream in one direction. */
  readonly purpose: 'ask' | 'pour'
  /** Which way of using the peer. */
  readonly variant: string | undefined
  /** What a peer starts that has no other way to reach the other side. */
  readonly far: { readonly program: string; readonly argument: string }
}

/** The default export of a peer's file. */
export type ComparedPeer = (settings: ComparedSettings) => ComparedStack | Promise<ComparedStack>

/** For peers whose send says when to wait. */
export async function pourInto(
  count: number,
  send: (stamp: number) => boolean,
  ready: () => Promise<void>,
): Promise<void> {
  for (let i = 0; i < count; i++) if (!send(i & (STAMPS - 1))) await ready()
}

/** For streams: when the backlog has gone. */
export function drained(stream: {
  readonly writableNeedDrain: boolean
  once(event: 'drain', listener: () => void): unknown
}): Promise<void> {
  if (!stream.writableNeedDrain) return Promise.resolve()
  return new Promise((resolve) => stream.once('drain', resolve))
}

export const NO_PAYLOAD = new Uint8Array(0)
