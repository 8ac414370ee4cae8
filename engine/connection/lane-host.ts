/** What a connection needs of the shard that carries it. Connections know shards by this interface alone. */
import type { InlineBudget } from './inline-budget.js'
import type { LaneGrant } from '../protocol/lane.js'
import type { SlabTable } from '../protocol/slab-table.js'

/** Something that has written into a ring and wants to publish once the current turn of the event loop ends. */
export interface Flushable {
  /** `isAlone`: few others are flushed with it, so that waking the shard is for it alone. */
  flush(isAlone: boolean): void
}

/** Something that is called when the shard has changed its lane. */
export interface NotifyHandler {
  /** Handles one budget of what has come; true: there is more, call again in the next turn. */
  onNotify(): boolean
}

/** The reply to what a connection has flushed, as the wake strategy goes by it. */
export interface PendingReply {
  readonly dialled: boolean
  /** When the oldest flush without a reply went out, in `performance.now()` milliseconds; 0: there is none. */
  sentAt: number
  /** Main stays awake for it. */
  isAwaited: boolean
  /** Until when. */
  awaitedUntil: number
  /** What the wake strategy knows of the connection. */
  memory: ReplyMemory | undefined
}

/** How long replies of a connection took lately, with main awake and asleep. */
export interface ReplyMemory {
  way: 'awake' | 'asleep'
  /** The way is only being tried. */
  isTrial: boolean
  /** Replies of this phase, of how many, and what they took in all, in milliseconds. */
  replies: number
  phase: number
  totalMs: number
  /** Replies that were given up in this phase. */
  misses: number
  /** What a reply took in the phase before. */
  meanBefore: number
  /** How long the next phase that is no trial lasts. */
  nextPhase: number
  /** When the last one came, in milliseconds. */
  repliedAt: number
  /** What the pending reply answers was sent after a pause: it does not count. */
  isAfterPause: boolean
}

/** When connections run, and how main waits for the shard. */
export interface LaneDoorbell {
  /** Calls `flush()` when the current turn ends. */
  flushSoon(flushable: Flushable): void
  /** A flush has gone out, and a reply may follow. */
  awaitReply(reply: PendingReply): void
  /** A frame came in on a connection whose `sentAt` is not 0. */
  replied(reply: PendingReply): void
  /** Calls `onNotify()` in one of the next turns. */
  revisit(reader: NotifyHandler): void
}

/** Who reads from a duplicate. */
export interface DuplicateReader {
  /** So many bytes have come. False: nothing more is read until `read()`. */
  onRead(length: number): boolean
  /** The peer's end of stream. */
  onEnd(): void
  /** The duplicate is closed, and the system does not report the error again. */
  onFailure(errno: number): void
}

/** Main's duplicate of a socket that a shard owns. */
export interface DuplicateSocket {
  /** Gives the system what it takes at once; returns how many bytes. 0: it is full, or broken. */
  write(bytes: Uint8Array, offset: number, length: number): number
  /** Reads what comes, into the same memory and for the same reader each time. */
  read(into: Buffer, reader: DuplicateReader): void
  /** Nothing is read until `read()`. */
  pause(): void
  /** Takes at once what has come; returns how many bytes. 0: the stream has ended. Less: see NOTHING_CAME. */
  readNow(into: Buffer): number
  close(): void
}

/** What main needs to write to sockets itself, and to read from them. */
export interface InlineHost {
  /** Which connections may have a duplicate. */
  readonly budget: InlineBudget
  /** Whether the shard would have to be woken to look at a lane. */
  isShardAsleep(): boolean
  /** A duplicate of the socket that a lane's bytes leave by, the caller's own. Undefined: there is none to be had. */
  duplicate(laneId: number): Promise<DuplicateSocket | undefined>
  /** Main has written so many bytes. */
  wrote(bytes: number): void
  /** Main has read so many bytes. */
  didRead(bytes: number): void
  /** What has come for a lane is looked at now, as if the shard had notified of it. */
  visit(laneId: number): void
}

/** Of a lane that no shard looks at by itself. What has happened by then is in the lane when these return. */
export interface LaneFetches {
  /** HEAD is about to be loaded. */
  fetchHead(): void
  /** What has come, and whether the peer has ended, is about to be looked at. */
  fetchTail(): void
  /** Main has armed IN_NOTIFY. */
  awaitBytes(): void
  /** Main has armed OUT_SPACE. */
  awaitRoom(): void
  /** Main has stored HEAD. */
  released(): void
}

export interface LaneHost {
  readonly shard: number
  /** In front of the number in the ids of its connections, which are unique within the process. */
  readonly idPrefix: string
  readonly slabs: SlabTable
  readonly doorbell: LaneDoorbell
  wordsOf(lane: LaneGrant): Int32Array
  baseOf(lane: LaneGrant): number
  /** Tells the shard to look at a lane. `busy`: main goes on with more of the same, and does not sleep now. */
  notify(laneId: number, busy?: boolean): void
  /** Undefined: a shard stores into the lane, whenever something happens. */
  readonly fetches: LaneFetches | undefined
  /** A region of at least this size, if the shard knows one; else `onKnown` is called once asking again may help. */
  takeRegion(bytes: number, onKnown: () => void): number | undefined
  giveRegion(regionId: number): void
  /** Resolves once the shard has read whatever it could read when this was called, or is dead. */
  turned(): Promise<void>
  /** The connection is over: forget it and take its lane back. */
  releaseLane(lane: LaneGrant): void
  keepAlive(on: boolean): void
  /** Is told of frames that were taken, some at a time. Undefined: nobody counts them. */
  readonly onTaken: ((frames: number, bytes: number) => void) | undefined
  /** Undefined: only the shard writes. */
  readonly inline: InlineHost | undefined
}
