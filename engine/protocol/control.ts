/** The control plane between main and a shard: what each side can ask of the other, over Comlink. */
import type { MessagePort } from 'node:worker_threads'
import type { Outcome, SerializedError } from './errors.js'
import type { FramingSpec } from './framing.js'
import type { HandlerEnd, HandlerReport, Handling } from './handling.js'
import type { LaneGrant } from './lane.js'
import type { SlabDescriptor } from './slab-table.js'
import type { ListenTarget, StdioDescriptor, TransportTarget } from './target.js'

/** What a shard is started with. */
export interface ShardBoot {
  readonly shard: number
  readonly generation: number
  readonly control: MessagePort
  readonly events: MessagePort
  /** Wake-ups, both ways. */
  readonly bell: MessagePort
  /** Where the shard connects its wake-up socket; undefined: there is none on this platform. */
  readonly wakeupPath: string | undefined
  /** Main notifies the shard. */
  readonly shardBell: SharedArrayBuffer
  /** The shard notifies main. */
  readonly mainBell: SharedArrayBuffer
  /** Connections that the shard has accepted into lanes that main has lent it. */
  readonly acceptLog: SharedArrayBuffer
  readonly counters: Float64Array
  /** The memory of the engine's `ShardLoads`. */
  readonly loads: SharedArrayBuffer
  /** The shard notes when it takes, writes and reads. */
  readonly tracesHops: boolean
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
  readonly target: ListenTarget
  readonly backlog: number
  /** Of its connections. */
  readonly framing: FramingSpec
  /** Accepted connections that main has neither adopted nor rejected, past which this shard stops accepting. */
  readonly maxQueued: number
  /** The words of its `AcceptCounts`. */
  readonly counts: Int32Array
}

/** A listener whose connections the shard serves itself. */
export interface ServeRequest extends Pick<ListenRequest, 'target' | 'backlog'> {
  readonly servedId: number
  readonly handling: Handling
  /** Of all shards together. */
  readonly maxConnections: number
  /** The words of its `HandlerCounts`. */
  readonly counts: Int32Array
}

/** A connection that the shard dials and serves itself. */
export interface ServedDialRequest extends Pick<DialRequest, 'target' | 'timeoutMs'> {
  /** One of the same numbers as those of served listeners. */
  readonly servedId: number
  readonly handling: Handling
}

/** The id of the connection. */
export type ServedDialOutcome =
  { readonly ok: true; readonly connection: string } | Extract<Outcome, { readonly ok: false }>

/** A connection that was accepted, and the lane that it gets. */
export interface Adoption {
  readonly acceptId: number
  readonly lane: LaneGrant
}

/** What main calls on a shard. Errors come back as values: Comlink drops their codes. */
export interface ShardControl {
  addHeaders(memory: SharedArrayBuffer): void
  addSlab(slab: SlabDescriptor): void
  removeSlab(id: number): void
  /** Collects the garbage of the shard's thread. False: memory that was removed is still held. */
  collectGarbage(): Promise<boolean>
  dial(request: DialRequest): Promise<Outcome>
  abortDial(laneId: number): void
  /** Connects a channel for descriptors to where main accepts it. */
  openDescriptors(path: string): Promise<Outcome>
  /** Sends a duplicate of the socket that a lane's bytes leave by. False: it has none, or it could not be sent. */
  duplicateSocket(laneId: number, ticket: number): Promise<boolean>
  listen(request: ListenRequest): Promise<Outcome>
  /** Accepts again after `paused`; `target` as for `listen`. */
  resumeListening(listenerId: number, target: ListenTarget): Promise<Outcome>
  unlisten(listenerId: number): Promise<void>
  /** Loads the module, sets it up, and listens. */
  serve(request: ServeRequest): Promise<Outcome>
  /** Loads the module, sets it up, dials, and has the module serve the connection. */
  dialServed(request: ServedDialRequest): Promise<ServedDialOutcome>
  /** Accepts nothing from here on, and gives up what is under way. Open connections live on. */
  unserve(servedId: number): Promise<void>
  /** Resolves once handlers are done with what had come until now. Bounded by nothing. */
  settleServed(servedId: number): Promise<void>
  /** Answers once the connections have ended and the module was torn down. Of a listener after `unserve()`. */
  endServed(servedId: number, end: HandlerEnd): Promise<void>
  /** Connections that another shard has accepted, sent with these tickets. Returns the tickets of those not taken. */
  takeOver(listenerId: number, tickets: readonly number[]): Promise<readonly number[]>
  /** Lanes for connections that are yet to be accepted. */
  lend(lanes: readonly LaneGrant[]): void
  /** Takes back the lanes that were lent and carry nothing; returns them. */
  giveBack(): readonly number[]
  /** Returns the lanes of connections that are gone. */
  adopt(adoptions: readonly Adoption[]): readonly number[]
  reject(acceptIds: readonly number[]): void
  /** Answers when the event loop comes round to it. */
  ping(): void
  /** Answers when all has been read that could be read at the time of the call. */
  turn(): Promise<void>
  stop(): void
}

/** What a shard reports of its listeners. */
export interface ListenerCallbacks {
  /** They wait for a lane or a rejection, in the order in which they came; behind those that are in the log. */
  accepted(listenerId: number, acceptIds: readonly number[]): void
  /** `maxQueued` is reached: peers wait in the backlog until `resumeListening`. */
  paused(listenerId: number): void
  listenerFailed(listenerId: number, error: SerializedError): void
}

/** What a shard asks that has accepted more than its share. */
export interface SurplusTaker {
  /**
   * Duplicates of accepted connections were sent with these tickets. Returns the tickets of those that the shard keeps;
   * the others are another shard's by then.
   */
  handOn(listenerId: number, tickets: readonly number[]): Promise<readonly number[]>
}

/** What a shard calls on main. */
export interface MainCallbacks extends ListenerCallbacks, SurplusTaker {
  /** Of what it serves. Answered, so that the shard sends no more than main takes up. */
  served(servedId: number, report: HandlerReport): void | Promise<void>
  /** The shard has taken addresses that main is to give back once its thread is gone. */
  mapped(address: bigint, length: number): void
  /** The shard no longer uses stdin or stdout, which are main's. Answers once main has released it. */
  releaseStdio(descriptor: StdioDescriptor): void
}
