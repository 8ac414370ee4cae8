/**
 * Reads from the socket of a connection that makes round trips, instead of its shard: a reply then reaches main without
 * a wake-up of the shard, and without one of main by the shard.
 *
 * Main asks for it, and the shard stops reading behind the next little that it has read. Then main is the in ring's
 * only producer: what it reads goes into the ring, so that all behind it is as usual. The reading goes back to the
 * shard as soon as it is no round trip any more: much comes at once, frames are not taken, the peer goes on without
 * main, many connections are busy, either side ends, or nobody uses the connection. See
 * docs/decisions/inline-reads.md, and "MAIN READS" in ring-layout.ts for the words and their order.
 */
import { NOTHING_CAME } from '../internals/socket-handle.js'
import { distance, RingProducer } from '../protocol/ring.js'
import { inState, inWords, lane } from '../protocol/ring-layout.js'
import type { Lane } from './connection-lane.js'
import type { DuplicateReader, DuplicateSocket, InlineHost } from './lane-host.js'
import type { PlaceHolder, Places } from './places.js'
import { RoundTrips } from './round-trips.js'

/** Of all connections of the thread: what is in it goes into a ring at once. No ring is smaller. */
const memory = Buffer.allocUnsafeSlow(4096)

/** So soon after it was parked nobody asks the system what has come for a connection: that takes 10 to 27 us. */
const FRESH_MS = 1

type State =
  /** The shard reads. */
  | { readonly kind: 'resting' }
  | { readonly kind: 'asking'; readonly ask: number }
  | { readonly kind: 'reading'; readonly ring: RingProducer }
  /** The shard reads, or it is all over. */
  | { readonly kind: 'over' }

const RESTING: State = { kind: 'resting' }

export class InlineReader implements DuplicateReader, PlaceHolder {
  lastUse = 0
  readonly #lane: Lane
  readonly #host: InlineHost
  readonly #onLost: () => void
  readonly #roundTrips: RoundTrips
  /** Of those that main reads from. */
  readonly #places: Places
  #socket: DuplicateSocket | undefined
  #state: State = RESTING
  #asks = 0
  #parkedAt: number | undefined

  /** `onLost`: the duplicate is closed, because the socket has failed. */
  constructor(of: Lane, host: InlineHost, onLost: () => void) {
    this.#lane = of
    this.#host = host
    this.#onLost = onLost
    const { role } = of.identity
    this.#roundTrips = new RoundTrips(host.budget, role)
    this.#places = host.budget.readers[role]
  }

  /**
   * There is a duplicate to read from. Where frames have deadlines the shard reads: what has come while main was busy
   * counts as come.
   */
  gain(socket: DuplicateSocket): void {
    if (this.#lane.settings.frameTimeoutMs === undefined) this.#socket = socket
  }

  /** The duplicate is about to be closed. */
  lose(): void {
    this.giveWay()
    this.#socket = undefined
  }

  /** Main has written all that a turn has sent. */
  onWritten(): void {
    const { kind } = this.#state
    if (kind === 'reading') {
      this.#roundTrips.onWritten()
      this.#places.used(this)
    } else if (kind === 'resting' && this.#roundTrips.areSteady()) {
      this.#ask()
    }
  }

  /** What a turn has sent is left to the shard, which is awake. */
  onLeft(): void {
    if (this.#state.kind === 'resting') this.#roundTrips.look()
  }

  /** The shard may have lent the reading. */
  look(): void {
    const state = this.#state
    if (state.kind === 'asking' && this.#lane.load(lane.IN_LENT) === state.ask) this.#begin()
  }

  /** Nobody uses the connection for a while. Main reads on: the next user mostly comes within the same turn. */
  park(): void {
    if (this.#state.kind === 'reading') this.#parkedAt = this.#lane.settings.clock.now()
  }

  /** It is about to have a user: what has come while main was busy counts before, as it does where the shard reads. */
  checkout(): void {
    const parkedAt = this.#parkedAt
    this.#parkedAt = undefined
    const state = this.#state
    if (parkedAt === undefined || state.kind !== 'reading') return
    if (this.#lane.settings.clock.now() - parkedAt <= FRESH_MS) return
    const failure = this.#drain(state.ring)
    // The system tells it once.
    if (failure !== 0) this.onFailure(failure)
  }

  /** The shard is to read from here on. */
  giveWay(): void {
    const { kind } = this.#state
    if (kind === 'asking' || kind === 'reading') this.#handBack()
  }

  /** Nothing will be read any more: what has come by now is taken, as the shard would have taken it. */
  finish(): void {
    this.look()
    if (this.#state.kind === 'reading') this.#drain(this.#state.ring)
    this.lose()
    this.#state = { kind: 'over' }
  }

  onRead(length: number): boolean {
    const state = this.#state
    if (state.kind !== 'reading') return false
    const { ring } = state
    this.#take(ring, length)
    const goesOn = this.#roundTrips.goOn() && length < memory.length
    // Before main is busy with what came, so that the shard goes on meanwhile.
    if (!goesOn) this.#handBack()
    try {
      if (this.#isAwaited(ring)) this.#host.visit(this.#lane.grant.id)
    } finally {
      // Also if that throws: what was read must fit.
      if (this.#state === state && !ring.hasRoom(memory.length)) this.#handBack()
    }
    return this.#state === state
  }

  /** The shard reads it as well. */
  onEnd(): void {
    if (this.#state.kind === 'over') return
    this.giveWay()
    this.#state = { kind: 'over' }
  }

  onFailure(errno: number): void {
    if (this.#state.kind === 'over') return
    // Before the reading goes back.
    this.#lane.store(lane.IN_READ_FAILURE, errno)
    this.giveWay()
    this.#state = { kind: 'over' }
    this.#lane.notify()
    this.#onLost()
  }

  #ask(): void {
    if (this.#socket === undefined || !this.#places.hasRoom) {
      // Reading some of many takes more than reading all, or none. Of those accepted, the count of flushes tells.
      if (this.#socket !== undefined && this.#lane.identity.role === 'dialled') this.#places.clear()
      this.#roundTrips.pause()
      return
    }
    // Another number each time: the shard may be about to answer one that was taken back.
    const ask = ++this.#asks
    this.#state = { kind: 'asking', ask }
    this.#lane.store(lane.IN_READER, ask)
  }

  #begin(): void {
    const socket = this.#socket
    const { words, base, host } = this.#lane
    const ring = new RingProducer(words, base, inWords, host.slabs)
    const mayRead = ring.hasRoom(memory.length) && this.#places.admit(this)
    if (socket === undefined || !mayRead) {
      this.#handBack()
      return
    }
    this.#roundTrips.begin()
    this.#state = { kind: 'reading', ring }
    socket.read(memory, this)
  }

  #handBack(): void {
    if (this.#state.kind === 'reading') this.#socket?.pause()
    this.#state = RESTING
    this.#roundTrips.end()
    this.#places.release(this)
    // After the last TAIL: from here on the shard is the producer, or does not lend the reading at all.
    this.#lane.store(lane.IN_READER, 0)
    this.#lane.notify()
  }

  #take(ring: RingProducer, length: number): void {
    ring.write(memory, 0, length)
    ring.publish()
    this.#host.didRead(length)
  }

  #isAwaited(ring: RingProducer): boolean {
    const of = this.#lane
    if (of.load(lane.IN_NOTIFY) === 0 || distance(ring.tail, of.load(lane.IN_NOTIFY_AT)) < 0) return false
    return of.takeArmed(lane.IN_NOTIFY)
  }

  /** As far as the ring has room. Returns the number of the error that it has met; 0: none. */
  #drain(ring: RingProducer): number {
    while (ring.hasRoom(memory.length)) {
      const length = this.#socket?.readNow(memory) ?? NOTHING_CAME
      if (length < 0) return length === NOTHING_CAME ? 0 : -length
      if (length === 0) {
        this.#lane.store(lane.IN_STATE, inState.ENDED)
        return 0
      }
      this.#take(ring, length)
    }
    return 0
  }
}
