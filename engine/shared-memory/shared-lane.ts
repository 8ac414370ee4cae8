/** The lane of one connection over shared memory: its words, its rings in the segment, its pump and its socket. */
import type { LaneConnection } from '../connection/lane-connection.js'
import type {
  Flushable,
  LaneDoorbell,
  LaneFetches,
  LaneHost,
  NotifyHandler,
  PendingReply,
} from '../connection/lane-host.js'
import { systemClock } from '../protocol/clock.js'
import type { LaneGrant } from '../protocol/lane.js'
import { lane, regionSizeFor } from '../protocol/ring-layout.js'
import type { SlabTable } from '../protocol/slab-table.js'
import type { Role } from '../protocol/target.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import type { LaneWordTable } from './lane-words.js'
import type { Segment } from './segment.js'
import { HEADER_BYTES, wordsOf, type Direction } from './segment-layout.js'
import { SegmentPump } from './segment-pump.js'
import { SegmentRings } from './segment-rings.js'
import { WakeSocket } from './wake-socket.js'

/** Answers that come at once are read without a turn of the event loop in between, for so many and so long. */
const MOST_IN_A_ROW = 16
const LONGEST_ROW_MS = 1

/** What all of a thread's lanes over shared memory have in common. */
export interface SharedLaneEnvironment extends Pick<LaneHost, 'idPrefix' | 'onTaken'> {
  readonly doorbell: LaneDoorbell
  /** Runs what the host is called with. Undefined: it just runs. */
  readonly run: ((step: () => void) => void) | undefined
  readonly words: LaneWordTable
  /** Main polls the lane from now on. */
  onPolled(shared: SharedLane): void
  keepAlive(on: boolean): void
  /** The connection is over, and everything of it is released. */
  onReleased(shared: SharedLane): void
}

export interface SharedLaneParts {
  readonly segment: Segment
  readonly socket: SocketHandle
  readonly role: Role
  /** The shard that connected or accepted the socket. */
  readonly shard: number
}

export class SharedLane implements LaneHost, LaneDoorbell, NotifyHandler {
  readonly shard: number
  readonly slabs: SlabTable
  readonly grant: LaneGrant
  readonly idPrefix: string
  readonly inline = undefined
  readonly onTaken: LaneHost['onTaken']
  connection: LaneConnection | undefined
  readonly #environment: SharedLaneEnvironment
  readonly #segment: Segment
  readonly #rings: SegmentRings
  readonly #pump: SegmentPump
  readonly #socket: WakeSocket
  readonly #outgoing: Direction
  #isPolled = false
  /** Looks since the event loop has last turned. */
  #inARow = 0
  #rowSince = 0

  /** Segment and socket are the lane's from here on. */
  constructor(environment: SharedLaneEnvironment, { segment, socket, role, shard }: SharedLaneParts) {
    this.#environment = environment
    this.idPrefix = environment.idPrefix
    this.onTaken = environment.onTaken
    this.#segment = segment
    this.shard = shard
    this.#rings = new SegmentRings(segment)
    this.slabs = this.#rings.slabs
    this.grant = environment.words.take()
    this.#outgoing = role === 'dialled' ? 0 : 1
    const words = this.wordsOf()
    const base = this.baseOf()
    const out = this.#rings.first(this.#outgoing)
    const incoming = this.#rings.first(this.#incoming)
    for (const at of [lane.OUT_REGION, lane.OUT_REGION_ACK]) words[base + at] = out
    for (const at of [lane.IN_REGION, lane.IN_REGION_ACK, lane.IN_GRANT]) words[base + at] = incoming
    const { run } = environment
    const look = run === undefined ? this.#look : (): void => run(this.#look)
    this.#socket = new WakeSocket(socket, {
      onWake: () => {
        this.#inARow = 0
        look()
      },
      onEnd: () => {
        this.#pump.onSocketEnd()
        look()
      },
    })
    const header = new Int32Array(segment.firstPart, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT)
    const shared = { words: header, out: wordsOf(this.#outgoing), in: wordsOf(this.#incoming) }
    this.#pump = new SegmentPump({ words, base }, shared, segment.firstRing, {
      wakePeer: () => this.#socket.wakePeer(),
      closeSocket: () => this.#socket.close(),
      revisit: () => this.revisit(),
      lookSoon: () => this.#lookSoon(),
      incomingRegion: (ring) => this.#rings.open(ring, this.#incoming),
      outgoingRing: (region) => this.#rings.ringOf(region),
    })
  }

  get reservedBytes(): number {
    return this.#segment.reservedBytes
  }

  get #incoming(): Direction {
    return this.#outgoing === 0 ? 1 : 0
  }

  wordsOf(): Int32Array {
    return this.#environment.words.wordsOf(this.grant.id)
  }

  baseOf(): number {
    return this.#environment.words.baseOf(this.grant.id)
  }

  get doorbell(): LaneDoorbell {
    return this
  }

  notify(): void {
    this.#pump.onNotify()
  }

  get fetches(): LaneFetches {
    return this.#pump
  }

  /** In the outgoing direction. In the other one the peer does it. */
  takeRegion(bytes: number): number | undefined {
    const ring = this.#segment.sizes.indexOf(regionSizeFor(bytes))
    if (ring === -1) return undefined
    // Where there is no memory for it, the ring stays as it is.
    try {
      this.#segment.reserve(ring, this.#outgoing)
    } catch {
      return undefined
    }
    try {
      return this.#rings.open(ring, this.#outgoing)
    } catch {
      this.#segment.discard(ring, this.#outgoing)
      return undefined
    }
  }

  giveRegion(region: number): void {
    const isOurs = this.#rings.directionOf(region) === this.#outgoing
    if (isOurs) this.#segment.discard(this.#rings.ringOf(region), this.#outgoing)
    this.#rings.close(region)
    if (!isOurs) this.#pump.leaveRing()
  }

  turned(): Promise<void> {
    return Promise.resolve()
  }

  keepAlive(on: boolean): void {
    this.#socket.keepAlive(on)
    this.#environment.keepAlive(on)
  }

  releaseLane(): void {
    this.#socket.close()
    this.#segment.release()
    this.#environment.words.give(this.grant)
    this.#environment.onReleased(this)
  }

  flushSoon(flushable: Flushable): void {
    this.#environment.doorbell.flushSoon(flushable)
  }

  awaitReply(reply: PendingReply): void {
    this.#environment.doorbell.awaitReply(reply)
    if (!reply.isAwaited || this.#isPolled) return
    this.#isPolled = true
    this.#pump.startPolling()
    this.#environment.onPolled(this)
  }

  replied(reply: PendingReply): void {
    this.#environment.doorbell.replied(reply)
  }

  /** What it has to do, whichever part of it asks. */
  revisit(): void {
    this.#environment.doorbell.revisit(this)
  }

  onNotify(): boolean {
    this.#inARow = 0
    return this.#pullAndRead()
  }

  /** Main looks by itself in this turn. */
  poll(): void {
    if (this.#pump.hasNews) this.#look()
  }

  /** Main is about to sleep. False: it must not, there is news. */
  stopPolling(): boolean {
    this.#isPolled = !this.#pump.stopPolling()
    return !this.#isPolled
  }

  readonly #look = (): void => {
    if (this.#pullAndRead()) this.revisit()
  }

  #lookSoon(): void {
    const now = systemClock.now()
    if (this.#inARow++ === 0) this.#rowSince = now
    if (this.#inARow <= MOST_IN_A_ROW && now - this.#rowSince < LONGEST_ROW_MS) queueMicrotask(this.#look)
    else this.revisit()
  }

  /** True: there is more than one turn's budget. */
  #pullAndRead(): boolean {
    this.#pump.pull()
    return this.connection?.onNotify() === true
  }
}
