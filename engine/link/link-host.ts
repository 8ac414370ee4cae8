/** What a connection needs of the shard that carries it. The link layer knows shards by this interface alone. */
import type { LaneGrant } from '../shared/lane.js'
import type { SlabTable } from '../shared/region.js'

/** Something that has written into a ring and wants to publish once the current turn of the event loop ends. */
export interface Flushable {
  flush(): void
}

/** Something that looked for news after a wake-up. */
export interface NewsReader {
  /** Handles one budget of news; true: there is more, come back in the next turn. */
  onNews(): boolean
}

/** The spin record of a connection: main looks for the reply by itself for a while after a send. */
export interface Spinner {
  /** Whether a reply is being spun for. */
  armed: boolean
  /** Spins in a row that ended without a reply. */
  misses: number
  /** Flushes since spinning was given up, for the occasional probe. */
  skipped: number
  readonly dialled: boolean
}

export interface LinkHost {
  readonly shard: number
  readonly slabs: SlabTable
  wordsOf(lane: LaneGrant): Int32Array
  baseOf(lane: LaneGrant): number
  /** Tells the shard that a lane has news. */
  ring(laneId: number): void
  /** Calls `flush()` when the current turn ends. */
  flushSoon(flushable: Flushable): void
  /** A flush has gone out: spin for the reply, if the wake policy says so. */
  armSpin(spinner: Spinner): void
  /** A frame came in on a connection whose spin is armed. */
  spinSatisfied(spinner: Spinner): void
  /** Calls `onNews()` in one of the next turns. */
  revisit(reader: NewsReader): void
  /** A region of at least this size, if the shard knows one already; otherwise `onKnown` is called when it does. */
  takeRegion(bytes: number, onKnown: () => void): number | undefined
  giveRegion(regionId: number): void
  /** The connection is over: forget it and take its lane back. */
  releaseLane(lane: LaneGrant): void
  keepAlive(on: boolean): void
}
