/** The control plane between main and a shard: what each side can ask of the other, over Comlink. */
import type { MessagePort } from 'node:worker_threads'
import type { Outcome } from './errors.js'
import type { FramingSpec } from './framing.js'
import type { LaneGrant } from './lane.js'
import type { SlabDescriptor } from './region.js'
import type { TransportTarget } from './target.js'
import type { OwnDescriptor } from './wire.js'

/** What a shard is started with. */
export interface ShardBoot {
  readonly shard: number
  readonly generation: number
  readonly control: MessagePort
  readonly events: MessagePort
  /** Wake-ups, both ways. */
  readonly bell: MessagePort
  /** Where the shard finds the cheaper line for wake-ups; undefined: there is none on this platform. */
  readonly linePath: string | undefined
  /** News from main to the shard. */
  readonly shardBell: SharedArrayBuffer
  /** News from the shard to main. */
  readonly mainBell: SharedArrayBuffer
  readonly counters: Float64Array
}

export interface DialRequest {
  readonly lane: LaneGrant
  readonly target: TransportTarget
  readonly framing: FramingSpec
  /** How long a full backlog is tried again, in milliseconds. */
  readonly timeoutMs: number
}

export interface ListenRequest {
  readonly listenerId: number
  readonly target: TransportTarget
  readonly backlog: number
  /** Accepted connections that main has neither adopted nor rejected, past which this shard stops accepting. */
  readonly maxQueued: number
}

/** Main asks, the shard answers. Errors come back as values: Comlink drops their codes. */
export interface ShardControl {
  addHeaders(memory: SharedArrayBuffer): void
  addSlab(slab: SlabDescriptor): void
  removeSlab(id: number): void
  /** Collects the garbage of the shard's thread. False: memory that was removed is still held. */
  collectGarbage(): Promise<boolean>
  dial(request: DialRequest): Promise<Outcome<void>>
  abortDial(laneId: number): void
  listen(request: ListenRequest): Promise<Outcome<void>>
  /** Goes on accepting after `paused`; `target` as for `listen`. */
  resumeListening(listenerId: number, target: TransportTarget): Promise<Outcome<void>>
  unlisten(listenerId: number): Promise<void>
  adopt(acceptId: number, lane: LaneGrant, framing: FramingSpec): Outcome<void>
  reject(acceptId: number): void
  /** Answers when the event loop has come round to it. */
  ping(): void
  /** Answers when whatever could be read when it was asked has been read. */
  turn(): Promise<void>
  stop(): void
}

/** What a shard tells of its listeners. */
export interface ListenerEvents {
  accepted(listenerId: number, acceptId: number): void
  /** `maxQueued` is reached: peers wait in the backlog until `resumeListening`. */
  paused(listenerId: number): void
  listenerFailed(listenerId: number, outcome: Outcome<never>): void
}

/** The shard tells, main listens. */
export interface ShardEvents extends ListenerEvents {
  /** stdin or stdout, which are main's, are no longer used. Answers once it is let go of. */
  letGoOf(descriptor: OwnDescriptor): void
}
