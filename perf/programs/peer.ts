/** What every measured program needs of its stack, so that the programs themselves are the same for all. */
import type { FrameBatch, HopStats } from '../../api/index.js'
import type { Sharing } from '../harness/messages.js'
import type { Answering } from '../harness/work.js'
import type { Asker } from './asker.js'
import type { Client } from './client.js'

export interface Peer {
  /** Makes the frames that `send()` sends: `bytes` long, byte 0 of the payload is the stamp, the rest is filler. */
  prepare(bytes: number): void
  /** Sends one frame; false: wait for `ready()`. */
  send(stamp: number): boolean
  /** Sends so many frames, in one call, with the stamps from this one on. Undefined: the stack has no batches. */
  sendBatch?(stamp: number, count: number): boolean
  ready(): Promise<void>
  /** Everything sent so far leaves: only a corked baseline has something to do here. */
  flush(): void
}

export interface PeerStack {
  connect(onFrame: (frame: Buffer) => void): Promise<Peer>
  /** What asks a server that answers; missing: the stack has none. */
  client?(): Client | Promise<Client>
  /** Calls `onPeer` for each connection; the function that it returns gets that connection's frames. */
  listen(onPeer: (peer: Peer) => (frame: Buffer) => void): Promise<void>
  /** Calls `onBatch` with frames of all connections. Undefined: the stack has no batches. */
  listenForBatches?(onBatch: (batch: FrameBatch) => void): Promise<void>
  /** Sends each chunk of bytes back as it came, the cheapest echo the stack can do. */
  echo(): Promise<void>
  /** Parses the frames and answers each with a frame, as a server does that answers requests. */
  answer(answering: Answering): Promise<void>
  /** For a host. */
  asker?(sharing: Sharing): Promise<Asker>
  /** How busy each shard was since the last call, from 0 to 1; missing: there are none. */
  shardUtilization?(): readonly number[]
  /** Why connections that asked for shared memory go over their sockets; undefined: they do not. */
  fallback?(): string | undefined
  /** Where the time of round trips went since the last reset. Undefined: the stack cannot tell. */
  readonly hops?: { read(): readonly HopStats[]; reset(): void }
  /** True: everything was released. */
  close(): Promise<boolean>
}
