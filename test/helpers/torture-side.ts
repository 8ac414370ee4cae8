/**
 * One of the two threads of the torture test: sends and receives frames over all lanes, parks for real, and is woken
 * by nothing but the bell. The handshakes are those of workers/lanes/pump.ts and engine/connection/.
 */
import type { MessagePort } from 'node:worker_threads'
import { BellListener, BellNotifier } from '../../engine/protocol/bell.js'
import { FrameReader } from '../../engine/connection/frame-reader.js'
import { FrameWriter } from '../../engine/connection/frame-writer.js'
import { LaneTable, takeArmed } from '../../engine/protocol/lane.js'
import { SlabTable, type SlabDescriptor } from '../../engine/protocol/slab-table.js'
import { bell, inWords, lane, outWords, sizeOfRegion, type RingWords } from '../../engine/protocol/ring-layout.js'
import { distance, RingConsumer, RingProducer } from '../../engine/protocol/ring.js'
import { patternBytes, Random } from './random.js'

/**
 * How a side parks. `sound` is the engine's own listener. The other two work for a while between the last look at
 * the notification and the announcement that they sleep; `broken` then skips the second look.
 */
export type ListenerKind = 'sound' | 'slow' | 'broken'

export interface TorturePlan {
  readonly seed: number
  /** Ids of the lanes: those of one bell word, of several, or both. */
  readonly lanes: readonly number[]
  /** For each lane and direction. */
  readonly frames: number
  /** A side may be this many frames ahead of what it has received on the lane; one is chosen for each run of frames. */
  readonly windows: readonly [number, ...number[]]
  /** Frames are cut to this many bytes: small ones never fill a ring, so that neither side waits for room. */
  readonly largestFrame: number
  readonly listener: ListenerKind
}

export interface TortureMemory {
  readonly headers: SharedArrayBuffer
  readonly slabs: readonly SlabDescriptor[]
  /** By side, the bell that it listens to. */
  readonly bells: readonly [SharedArrayBuffer, SharedArrayBuffer]
  /** By direction and place in the plan, the regions that its ring moves between; the first is where it begins. */
  readonly regions: readonly [readonly RegionChoice[], readonly RegionChoice[]]
}

export type RegionChoice = readonly [number, ...number[]]

export type SideIndex = 0 | 1

export interface TortureBoot {
  readonly side: SideIndex
  readonly plan: TorturePlan
  readonly memory: TortureMemory
  readonly wakePort: MessagePort
}

/** What a side reports when it is asked; answering makes no progress. */
export interface SideReport {
  readonly done: boolean
  /** Whether it lies in its event loop with nothing scheduled. */
  readonly parked: boolean
  readonly turns: number
  readonly sent: number
  readonly received: number
  readonly bytesReceived: number
  readonly parks: number
  /** Times that the second look found notifications that had come while parking. */
  readonly parksRefused: number
  readonly wakes: number
  readonly regionChanges: number
  readonly overflows: number
}

/** The words of one direction: what its notifications are for, and what wants room. */
interface Direction {
  readonly ring: RingWords
  readonly notify: number
  /** Where the TAIL must be before the receiver is notified; undefined: anywhere. */
  readonly notifyAt: number | undefined
  readonly space: number
  readonly spaceAt: number
}

/** Side 0 sends on the first and receives on the second. */
export const directions: readonly [Direction, Direction] = [
  {
    ring: outWords,
    notify: lane.OUT_NOTIFY,
    notifyAt: undefined,
    space: lane.OUT_SPACE,
    spaceAt: lane.OUT_SPACE_AT,
  },
  {
    ring: inWords,
    notify: lane.IN_NOTIFY,
    notifyAt: lane.IN_NOTIFY_AT,
    space: lane.IN_SPACE,
    spaceAt: lane.IN_SPACE_AT,
  },
]

const PATTERN_BYTES = 65_536
export const LARGEST_FRAME = 12_000
const CHECKSUM_BYTES = 4
/** A window applies to this many frames. */
const RUN_OF_FRAMES = 64
const WINDOW_LOOKS = 4000

function checksum(sequence: number, bytes: Uint8Array, length: number): number {
  let hash = 0x811c9dc5 ^ sequence
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return hash >>> 0
}

/** The lengths and contents of one direction's frames; both sides draw the same ones. */
class FrameSchedule {
  readonly #random: Random
  readonly #pattern: Buffer
  readonly #largest: number
  readonly #frame = Buffer.alloc(LARGEST_FRAME)
  sequence = 0

  constructor(random: Random, pattern: Buffer, largestFrame: number) {
    this.#random = random
    this.#pattern = pattern
    this.#largest = largestFrame
  }

  /** The next frame, in a buffer that is used again: body, then a checksum over its number and its body. */
  next(): Buffer {
    const length = Math.min(this.#length(), this.#largest)
    const from = this.#random.below(PATTERN_BYTES - LARGEST_FRAME)
    const sequence = this.sequence++
    const frame = this.#frame.subarray(0, length)
    const body = length - CHECKSUM_BYTES
    if (body < 0) return frame
    this.#pattern.copy(frame, 0, from, from + body)
    frame.writeUInt32LE(checksum(sequence, frame, body), body)
    return frame
  }

  #length(): number {
    const random = this.#random
    const kind = random.below(1000)
    if (kind < 50) return 0
    if (kind < 900) return random.between(CHECKSUM_BYTES, 64)
    if (kind < 980) return random.between(64, 600)
    // Around the half and the whole of the smallest ring, where the reader changes to streaming.
    if (kind < 987) return random.between(2040, 2052)
    if (kind < 994) return random.between(4084, 4100)
    return random.between(CHECKSUM_BYTES, LARGEST_FRAME)
  }
}

class Sender {
  overflows = 0
  regionChanges = 0
  readonly #laneId: number
  readonly #words: Int32Array
  readonly #base: number
  readonly #names: Direction
  readonly #ring: RingProducer
  readonly #writer: FrameWriter
  readonly #notifier: BellNotifier
  readonly #schedule: FrameSchedule
  readonly #whims: Random
  readonly #plan: TorturePlan
  readonly #regions: RegionChoice
  #window: number

  constructor(
    laneId: number,
    words: Int32Array,
    base: number,
    names: Direction,
    slabs: SlabTable,
    notifier: BellNotifier,
    plan: TorturePlan,
    regions: RegionChoice,
    schedule: FrameSchedule,
    whims: Random,
  ) {
    this.#laneId = laneId
    this.#words = words
    this.#base = base
    this.#names = names
    this.#ring = new RingProducer(words, base, names.ring, slabs)
    this.#writer = new FrameWriter(this.#ring)
    this.#notifier = notifier
    this.#schedule = schedule
    this.#whims = whims
    this.#plan = plan
    this.#regions = regions
    this.#window = whims.pick(plan.windows)
  }

  get sent(): number {
    return this.#schedule.sequence
  }

  get finished(): boolean {
    return this.sent === this.#plan.frames && this.#writer.overflowBytes === 0
  }

  /**
   * Sends what may be sent. Two sides that wait for each other cannot both be ahead of what they received, so the
   * windows never stop a run by themselves.
   */
  advance(received: number): void {
    if (!this.#flushOverflow()) return
    while (this.sent < this.#plan.frames && received >= this.sent - this.#window) {
      if (this.#whims.oneIn(10)) this.#changeRegion()
      const frame = this.#schedule.next()
      if (this.sent % RUN_OF_FRAMES === 0) this.#window = this.#whims.pick(this.#plan.windows)
      if (!this.#writer.tryWrite(frame)) {
        const cut = this.#whims.between(0, frame.length)
        this.#writer.writeOrQueue([frame.subarray(0, cut), frame.subarray(cut)], frame.length)
      }
      if (this.#writer.overflowBytes > 0) {
        this.overflows++
        if (!this.#flushOverflow()) return
      } else if (this.#whims.oneIn(4)) this.#publish()
    }
    this.#publish()
  }

  #publish(): void {
    if (this.#ring.unpublished === 0) return
    this.#ring.publish()
    const { notify, notifyAt } = this.#names
    if (notifyAt !== undefined) {
      if (Atomics.load(this.#words, this.#base + notify) === 0) return
      if (distance(this.#ring.tail, Atomics.load(this.#words, this.#base + notifyAt)) < 0) return
    }
    if (takeArmed(this.#words, this.#base + notify)) this.#notifier.notify(this.#laneId)
  }

  /** False: bytes wait, and the peer will notify when there is room. */
  #flushOverflow(): boolean {
    while (this.#writer.overflowBytes > 0) {
      if (this.#whims.oneIn(4)) this.#changeRegion()
      const empty = this.#writer.refill()
      this.#publish()
      if (!empty && !this.#roomCameMeanwhile()) return false
    }
    return true
  }

  /** Asks to be notified when there is room, then looks again: it may have come before the peer could see that. */
  #roomCameMeanwhile(): boolean {
    const ring = this.#ring
    // At most half of the ring: the peer may hold back an incomplete frame of nearly that size.
    const wanted = this.#whims.between(1, ring.capacity >> 1)
    const at = (ring.tail - ring.capacity + wanted) | 0
    Atomics.store(this.#words, this.#base + this.#names.spaceAt, at)
    Atomics.store(this.#words, this.#base + this.#names.space, 1)
    ring.refreshFree()
    return distance(ring.head, at) >= 0 && takeArmed(this.#words, this.#base + this.#names.space)
  }

  #changeRegion(): void {
    const ring = this.#ring
    const region = this.#whims.pick(this.#regions)
    if (region === ring.regionId || !ring.settled) return
    if (sizeOfRegion(region) < ring.capacity) {
      // Not in the middle of a frame: the peer may have asked to be notified only after a quarter of the larger ring.
      if (this.#writer.overflowBytes > 0 || ring.refreshFree() < ring.capacity) return
    }
    ring.switchTo(region)
    this.regionChanges++
  }
}

class Receiver {
  received = 0
  bytesReceived = 0
  readonly #laneId: number
  readonly #words: Int32Array
  readonly #base: number
  readonly #names: Direction
  readonly #ring: RingConsumer
  readonly #reader: FrameReader
  readonly #notifier: BellNotifier
  readonly #schedule: FrameSchedule
  readonly #whims: Random

  constructor(
    laneId: number,
    words: Int32Array,
    base: number,
    names: Direction,
    slabs: SlabTable,
    notifier: BellNotifier,
    schedule: FrameSchedule,
    whims: Random,
  ) {
    this.#laneId = laneId
    this.#words = words
    this.#base = base
    this.#names = names
    this.#ring = new RingConsumer(words, base, names.ring, slabs)
    this.#reader = new FrameReader(this.#ring, LARGEST_FRAME)
    this.#notifier = notifier
    this.#schedule = schedule
    this.#whims = whims
  }

  /** Takes every frame there is, and arms the notice of the next one. */
  drain(): void {
    for (;;) {
      const borrow = this.#whims.oneIn(2)
      const progress = this.#reader.next(borrow)
      if (progress === 'frame') {
        this.#check(borrow ? this.#reader.borrow() : this.#reader.copy())
        this.#reader.done()
        if (this.#whims.oneIn(8)) this.#release()
        continue
      }
      if (progress === 'too-large') throw this.#failure(`announced ${String(this.#reader.length)} bytes`)
      this.#release()
      const { notify, notifyAt } = this.#names
      const wants = notifyAt === undefined ? 1 : this.#reader.wants
      const enough = (this.#ring.seen + wants) | 0
      // Arm, then look again: the peer may have published before it could see that we want to know.
      if (notifyAt !== undefined) Atomics.store(this.#words, this.#base + notifyAt, enough)
      Atomics.store(this.#words, this.#base + notify, 1)
      this.#ring.refresh()
      if (distance(this.#ring.seen, enough) < 0) return
      Atomics.store(this.#words, this.#base + notify, 0)
    }
  }

  #release(): void {
    const ring = this.#ring
    ring.release()
    if (
      Atomics.load(this.#words, this.#base + this.#names.space) !== 0 &&
      distance(ring.head, Atomics.load(this.#words, this.#base + this.#names.spaceAt)) >= 0 &&
      takeArmed(this.#words, this.#base + this.#names.space)
    ) {
      this.#notifier.notify(this.#laneId)
    }
  }

  #check(frame: Buffer): void {
    const sequence = this.#schedule.sequence
    const expected = this.#schedule.next()
    if (frame.length !== expected.length) {
      throw this.#failure(`has ${String(frame.length)} bytes instead of ${String(expected.length)}`)
    }
    const body = frame.length - CHECKSUM_BYTES
    if (body >= 0) {
      const found = checksum(sequence, frame, body)
      if (frame.readUInt32LE(body) !== found || expected.readUInt32LE(body) !== found) {
        throw this.#failure('has a wrong checksum')
      }
    }
    this.received++
    this.bytesReceived += frame.length
  }

  #failure(what: string): Error {
    return new Error(`lane ${String(this.#laneId)}, frame ${String(this.received)} ${what}`)
  }
}

/** Works between the last look at the bell and parking, until a notification comes or its patience ends. */
class SlowListener extends BellListener {
  readonly #words: Int32Array
  readonly #whims: Random

  constructor(memory: SharedArrayBuffer, whims: Random) {
    super(memory)
    this.#words = new Int32Array(memory)
    this.#whims = whims
  }

  protected dawdle(): void {
    for (let looks = this.#whims.below(WINDOW_LOOKS); looks > 0 && !this.hasNotifications; looks--);
  }

  protected announceParked(): void {
    Atomics.store(this.#words, bell.PARKED, 1)
  }

  override park(): boolean {
    this.dawdle()
    return super.park()
  }
}

/** The control: parks without the second look. */
class BrokenListener extends SlowListener {
  override park(): boolean {
    this.dawdle()
    this.announceParked()
    return true
  }
}

function createListener(kind: ListenerKind, memory: SharedArrayBuffer, whims: Random): BellListener {
  switch (kind) {
    case 'sound':
      return new BellListener(memory)
    case 'slow':
      return new SlowListener(memory, whims)
    case 'broken':
      return new BrokenListener(memory, whims)
  }
}

export class TortureSide {
  readonly #plan: TorturePlan
  readonly #listener: BellListener
  readonly #lanes = new Map<number, { readonly sender: Sender; readonly receiver: Receiver }>()
  readonly #onDone: (report: SideReport) => void
  #done = false
  #parked = false
  #turns = 0
  #parks = 0
  #parksRefused = 0
  #wakes = 0

  constructor(boot: TortureBoot, onDone: (report: SideReport) => void) {
    const { side, plan, memory, wakePort } = boot
    const peer = side === 0 ? 1 : 0
    this.#plan = plan
    this.#onDone = onDone
    this.#listener = createListener(plan.listener, memory.bells[side], new Random(plan.seed, side))
    const notifier = new BellNotifier(memory.bells[peer], () => {
      wakePort.postMessage(0)
    })
    const headers = new LaneTable()
    headers.addHeaders(memory.headers)
    const slabs = new SlabTable()
    for (const slab of memory.slabs) slabs.add(slab)
    const pattern = patternBytes(PATTERN_BYTES, plan.seed)
    for (const [place, id] of plan.lanes.entries()) {
      const words = headers.wordsOf(id)
      const base = headers.baseOf(id)
      const regions = memory.regions[side][place]
      if (regions === undefined) throw new Error(`lane ${String(id)} has no regions`)
      const scheduleOf = (sender: SideIndex): FrameSchedule =>
        new FrameSchedule(new Random(plan.seed, id, sender), pattern, plan.largestFrame)
      const whims = new Random(plan.seed, id, side, 1)
      this.#lanes.set(id, {
        sender: new Sender(id, words, base, directions[side], slabs, notifier, plan, regions, scheduleOf(side), whims),
        receiver: new Receiver(id, words, base, directions[peer], slabs, notifier, scheduleOf(peer), whims),
      })
    }
    wakePort.on('message', () => {
      this.wake()
    })
  }

  start(): void {
    for (const id of this.#lanes.keys()) this.#visit(id)
    this.#turn()
  }

  wake(): void {
    this.#wakes++
    this.#turn()
  }

  report(): SideReport {
    let sent = 0
    let received = 0
    let bytesReceived = 0
    let regionChanges = 0
    let overflows = 0
    for (const { sender, receiver } of this.#lanes.values()) {
      sent += sender.sent
      received += receiver.received
      bytesReceived += receiver.bytesReceived
      regionChanges += sender.regionChanges
      overflows += sender.overflows
    }
    return {
      done: this.#done,
      parked: this.#parked,
      turns: this.#turns,
      sent,
      received,
      bytesReceived,
      parks: this.#parks,
      parksRefused: this.#parksRefused,
      wakes: this.#wakes,
      regionChanges,
      overflows,
    }
  }

  #turn = (): void => {
    this.#turns++
    this.#parked = false
    this.#listener.take(this.#visit)
    this.#reportIfDone()
    this.#parked = this.#listener.park()
    if (this.#parked) {
      this.#parks++
    } else {
      this.#parksRefused++
      setImmediate(this.#turn)
    }
  }

  #visit = (id: number): void => {
    const found = this.#lanes.get(id)
    if (found === undefined) throw new Error(`the bell named lane ${String(id)}, which is not in use`)
    found.receiver.drain()
    found.sender.advance(found.receiver.received)
  }

  #reportIfDone(): void {
    if (this.#done) return
    const { frames } = this.#plan
    this.#done = [...this.#lanes.values()].every(
      ({ sender, receiver }) => sender.finished && receiver.received === frames,
    )
    if (this.#done) this.#onDone(this.report())
  }
}
