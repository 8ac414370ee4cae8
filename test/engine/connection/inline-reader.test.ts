/** When main reads from a socket itself, and how the reading goes from the shard to main and back. */
import test from 'ava'
import { Ledger } from '../../../engine/common/ledger.js'
import { InlineBudget } from '../../../engine/connection/inline-budget.js'
import { NOTHING_CAME } from '../../../engine/internals/socket-handle.js'
import { InlineReader } from '../../../engine/connection/inline-reader.js'
import type { DuplicateReader, DuplicateSocket } from '../../../engine/connection/lane-host.js'
import { inState, inWords, lane } from '../../../engine/protocol/ring-layout.js'
import { RingConsumer } from '../../../engine/protocol/ring.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { LoneLane } from '../../helpers/lone-connection.js'

const FEWEST = 4
const MOST = 1024
const LONG_TIME = 256
const MOST_IN_A_ROW = 16
const MOST_CROWDED = 8
const MOST_READERS = 8
const MOST_FLUSHES = 64
const UNUSED_AFTER = 1_024
/** Of main's memory for reads, and of the smaller ring. */
const BYTES = 4_096

/** A socket to which the test sends. */
class FakeSocket implements DuplicateSocket {
  readonly calls: string[] = []
  /** What has come, and is read only when it is asked for; an empty text is the end. */
  readonly waiting: string[] = []
  /** What a read meets once that was read. */
  error = NOTHING_CAME
  #into: Buffer = Buffer.alloc(0)
  #reader: DuplicateReader | undefined

  /** Undefined: nobody reads. */
  get reader(): DuplicateReader | undefined {
    return this.#reader
  }

  write(): number {
    return 0
  }

  read(into: Buffer, reader: DuplicateReader): void {
    this.calls.push('read')
    this.#into = into
    this.#reader = reader
  }

  pause(): void {
    this.calls.push('pause')
    this.#reader = undefined
  }

  readNow(into: Buffer): number {
    const next = this.waiting.shift()
    return next === undefined ? this.error : into.write(next, 'latin1')
  }

  close(): void {
    this.calls.push('close')
  }

  /** False: nothing is read any more. */
  send(text: string): boolean {
    if (this.#reader === undefined) throw new Error('nobody reads')
    const goesOn = this.#reader.onRead(this.#into.write(text, 'latin1'))
    if (!goesOn) this.#reader = undefined
    return goesOn
  }
}

/** A reader over a lane whose shard and whose consumer are the test. */
class Desk {
  readonly clock = new FakeClock()
  readonly lane: LoneLane
  readonly budget: InlineBudget
  readonly socket = new FakeSocket()
  readonly reader: InlineReader
  /** What has happened, in its order. */
  readonly events: string[] = []
  readonly #consumer: RingConsumer

  constructor(ringBytes = 2 * BYTES, budget = new InlineBudget(new Ledger()), frameTimeoutMs?: number) {
    this.lane = new LoneLane({ frameTimeoutMs, clock: this.clock }, ringBytes)
    this.budget = budget
    const words = this.lane.createLane()
    this.lane.host.notify = () => this.events.push('notify')
    const host = {
      budget,
      isShardAsleep: () => true,
      duplicate: () => Promise.resolve(undefined),
      wrote: () => undefined,
      didRead: (bytes: number) => this.events.push(`read ${String(bytes)}`),
      visit: () => this.events.push('visit'),
    }
    this.reader = new InlineReader(words, host, () => this.events.push('lost'))
    this.#consumer = new RingConsumer(words.words, words.base, inWords, this.lane.host.slabs)
    this.await()
  }

  get ask(): number {
    return this.lane.load(lane.IN_READER)
  }

  get isReading(): boolean {
    return this.socket.reader !== undefined
  }

  /** Of this connection, and of others. */
  write(times = 1, others = 0): void {
    for (let i = 0; i < times; i++) {
      for (let flush = 0; flush <= others; flush++) this.budget.onFlush()
      this.reader.onWritten()
    }
  }

  /** The shard stops reading. */
  lend(ask = this.ask): void {
    this.lane.store(lane.IN_LENT, ask)
    this.reader.look()
  }

  /** The shard reads again. */
  regain(): void {
    this.lane.store(lane.IN_LENT, 0)
  }

  begin(): this {
    this.reader.gain(this.socket)
    this.write(FEWEST)
    this.lend()
    this.takeEvents()
    return this
  }

  /** A consumer waits for so many bytes. */
  await(bytes = 1): void {
    this.lane.store(lane.IN_NOTIFY_AT, (this.lane.load(lane.IN_TAIL) + bytes) | 0)
    this.lane.store(lane.IN_NOTIFY, 1)
  }

  take(): string {
    const bytes = Buffer.alloc(this.#consumer.refresh())
    this.#consumer.read(bytes, 0, bytes.length)
    this.#consumer.consume(bytes.length)
    this.#consumer.release()
    this.await()
    return bytes.toString('latin1')
  }

  takeEvents(): readonly string[] {
    return this.events.splice(0)
  }

  /** A message to main and its answer. */
  roundTrips(times: number): void {
    for (let i = 0; i < times; i++) {
      this.write()
      this.socket.send('x')
      this.take()
    }
    this.takeEvents()
  }
}

test('main asks at the fourth inline write once there is a duplicate, and wakes nobody for it', (t) => {
  const desk = new Desk()
  desk.reader.gain(desk.socket)
  desk.write(FEWEST - 1)
  t.is(desk.ask, 0)
  desk.write()
  t.not(desk.ask, 0)
  t.deepEqual(desk.takeEvents(), [])
  t.deepEqual(desk.socket.calls, [])
})

test('without a duplicate main asks for nothing', (t) => {
  const desk = new Desk()
  desk.write(10 * FEWEST)
  t.is(desk.ask, 0)
})

test('where frames have deadlines main asks for nothing: what comes while it is busy has come', (t) => {
  const desk = new Desk(2 * BYTES, undefined, 1_000)
  desk.reader.gain(desk.socket)
  desk.write(10 * FEWEST)
  t.is(desk.ask, 0)
})

test('main reads once the shard has lent it the reading for that ask, and not before', (t) => {
  const desk = new Desk()
  desk.reader.gain(desk.socket)
  desk.write(FEWEST)
  desk.reader.look()
  t.false(desk.isReading)
  desk.lend(desk.ask + 1)
  t.false(desk.isReading)
  desk.lend()
  t.true(desk.isReading)
  desk.reader.look()
  t.deepEqual(desk.socket.calls, ['read'])
})

test('an answer to an ask that was taken back lends nothing, and the next ask has another number', (t) => {
  const desk = new Desk()
  desk.reader.gain(desk.socket)
  desk.write(FEWEST)
  const first = desk.ask
  desk.reader.giveWay()
  t.is(desk.ask, 0)
  t.deepEqual(desk.takeEvents(), ['notify'])
  desk.write(2 * FEWEST)
  t.not(desk.ask, 0)
  t.not(desk.ask, first)
  // The shard had seen the first one, and answers only now.
  desk.lend(first)
  t.false(desk.isReading)
})

test('what main reads lies in the ring, and is looked at if somebody waits for so much', (t) => {
  const desk = new Desk().begin()
  t.true(desk.socket.send('one'))
  t.deepEqual(desk.takeEvents(), ['read 3', 'visit'])
  t.true(desk.socket.send(' two'))
  t.deepEqual(desk.takeEvents(), ['read 4'], 'nobody has armed the bell since')
  t.is(desk.take(), 'one two')
  desk.await(5)
  desk.socket.send('four')
  t.deepEqual(desk.takeEvents(), ['read 4'])
  desk.socket.send('5')
  t.deepEqual(desk.takeEvents(), ['read 1', 'visit'])
  t.is(desk.take(), 'four5')
})

test('it goes on behind what the shard has read, and round the end of the ring', (t) => {
  const desk = new Desk()
  const before = 'b'.repeat(2 * BYTES - 10)
  desk.lane.producer.write(Buffer.from(before), 0, before.length)
  desk.lane.producer.publish()
  t.is(desk.take(), before)
  desk.begin()
  desk.socket.send('c'.repeat(100))
  t.is(desk.take(), 'c'.repeat(100))
})

test('much at once goes back to the shard, which reads on before main is busy with it', (t) => {
  const desk = new Desk().begin()
  t.false(desk.socket.send('m'.repeat(BYTES)))
  t.deepEqual(desk.takeEvents(), ['read 4096', 'notify', 'visit'])
  t.is(desk.ask, 0)
  t.is(desk.take(), 'm'.repeat(BYTES))
})

test('what nobody takes goes back to the shard once there is no room for a read', (t) => {
  const desk = new Desk(BYTES).begin()
  t.false(desk.socket.send('untaken'))
  t.deepEqual(desk.takeEvents(), ['read 7', 'visit', 'notify'])
  t.deepEqual([desk.ask, desk.take()], [0, 'untaken'])
})

test('where there is no room when the shard has lent the reading, it goes back at once', (t) => {
  const desk = new Desk(BYTES)
  desk.reader.gain(desk.socket)
  desk.write(FEWEST)
  desk.lane.producer.write(Buffer.from('untaken'), 0, 7)
  desk.lane.producer.publish()
  desk.lend()
  t.deepEqual([desk.ask, desk.takeEvents(), desk.socket.calls], [0, ['notify'], []])
})

test('a time that was over soon makes the next one take twice as many round trips, up to 1,024', (t) => {
  const desk = new Desk().begin()
  for (let writes = 2 * FEWEST; writes < 4 * MOST; writes *= 2) {
    desk.reader.giveWay()
    desk.regain()
    desk.write(Math.min(writes, MOST) - 1)
    t.is(desk.ask, 0)
    desk.write()
    t.not(desk.ask, 0)
    desk.lend()
    t.true(desk.isReading)
  }
  desk.roundTrips(LONG_TIME)
  desk.reader.giveWay()
  desk.regain()
  desk.write(FEWEST)
  t.not(desk.ask, 0)
})

test('reads without a write in between go back to the shard', (t) => {
  const desk = new Desk().begin()
  desk.roundTrips(3 * MOST_IN_A_ROW)
  for (let i = 0; i < MOST_IN_A_ROW - 1; i++) {
    t.true(desk.socket.send('x'))
    desk.take()
  }
  t.false(desk.socket.send('x'))
  t.is(desk.ask, 0)
})

test('while many connections are busy main does not ask, and gives back what it reads', (t) => {
  const desk = new Desk()
  desk.reader.gain(desk.socket)
  desk.write(10 * FEWEST, MOST_FLUSHES)
  t.is(desk.ask, 0)
  desk.write(FEWEST, MOST_FLUSHES - 1)
  t.not(desk.ask, 0)
  desk.lend()
  for (let i = 0; i < MOST_CROWDED; i++) {
    desk.write(1, MOST_FLUSHES)
    t.true(desk.socket.send('x'))
    desk.take()
  }
  desk.roundTrips(1)
  for (let i = 0; i < MOST_CROWDED; i++) {
    desk.write(1, MOST_FLUSHES)
    t.true(desk.socket.send('x'))
    desk.take()
  }
  desk.write(1, MOST_FLUSHES)
  t.false(desk.socket.send('x'))
  t.is(desk.ask, 0)
})

test('flushes that were left to the shard are not those of the next round trip', (t) => {
  const desk = new Desk()
  desk.reader.gain(desk.socket)
  for (let i = 0; i < FEWEST; i++) {
    for (let flush = 0; flush < MOST_FLUSHES; flush++) desk.budget.onFlush()
    desk.reader.onLeft()
    desk.write()
  }
  t.not(desk.ask, 0)
})

test('of those that it has dialled main reads from eight at most, and from none where more are busy', (t) => {
  const budget = new InlineBudget(new Ledger())
  const busy = Array.from({ length: MOST_READERS }, () => new Desk(BYTES * 2, budget).begin())
  t.true(busy.every(({ isReading }) => isReading))
  new Desk(BYTES * 2, budget).begin()
  t.deepEqual(
    busy.map(({ ask, isReading }) => [ask, isReading]),
    busy.map(() => [0, false]),
  )
})

test('a parked connection is read on, and what came while main was busy counts when it is lent again', (t) => {
  const desk = new Desk().begin()
  desk.reader.park()
  t.true(desk.isReading)
  desk.socket.waiting.push('late', '')
  desk.reader.checkout()
  t.is(desk.take(), '', 'it comes back at once')
  desk.reader.park()
  desk.clock.advance(2)
  desk.reader.checkout()
  t.is(desk.take(), 'late')
  t.is(desk.lane.load(lane.IN_STATE), inState.ENDED)
})

test('an error that came while main was busy is told of when the connection is lent again', (t) => {
  const desk = new Desk().begin()
  desk.reader.park()
  desk.clock.advance(2)
  desk.socket.error = -104
  desk.reader.checkout()
  t.is(desk.lane.load(lane.IN_READ_FAILURE), 104)
  t.deepEqual([desk.ask, desk.isReading], [0, false])
  t.true(desk.takeEvents().includes('lost'))
})

test('a connection that was not parked is lent as it is', (t) => {
  const desk = new Desk().begin()
  desk.socket.waiting.push('late')
  desk.clock.advance(2)
  desk.reader.checkout()
  t.deepEqual(desk.socket.waiting, ['late'])
})

test('main reads from so many connections, and another gets the place of one that was unused for long', (t) => {
  const budget = new InlineBudget(new Ledger())
  const [unused, ...busy] = Array.from({ length: MOST_READERS }, () => new Desk(BYTES * 2, budget).begin())
  const another = new Desk(BYTES * 2, budget)
  another.reader.gain(another.socket)
  for (let i = 0; i < UNUSED_AFTER; i++) busy[i % busy.length]?.roundTrips(1)
  another.write(FEWEST)
  another.lend()
  t.true(another.isReading)
  t.deepEqual([unused?.ask, unused?.isReading], [0, false])
  t.deepEqual(unused?.takeEvents(), ['notify'])
})

test('the shard reads on before the duplicate is closed, and main asks again by the next one', (t) => {
  const desk = new Desk().begin()
  desk.reader.lose()
  t.deepEqual([desk.ask, desk.takeEvents(), desk.socket.calls], [0, ['notify'], ['read', 'pause']])
  desk.regain()
  desk.write(10 * FEWEST)
  t.is(desk.ask, 0)
  desk.reader.gain(desk.socket)
  desk.write(2 * FEWEST)
  t.not(desk.ask, 0)
})

test('the end of the stream is left to the shard, and main does not ask again', (t) => {
  const desk = new Desk().begin()
  desk.socket.send('last')
  desk.take()
  desk.takeEvents()
  desk.reader.onEnd()
  t.deepEqual([desk.ask, desk.takeEvents()], [0, ['notify']])
  t.is(desk.lane.load(lane.IN_STATE), inState.OPEN)
  desk.regain()
  desk.write(10 * FEWEST)
  t.is(desk.ask, 0)
})

test('the shard is told of an error before it can read on, and the duplicate is gone', (t) => {
  const desk = new Desk().begin()
  desk.reader.onFailure(104)
  t.is(desk.lane.load(lane.IN_READ_FAILURE), 104)
  t.deepEqual([desk.ask, desk.takeEvents()], [0, ['notify', 'notify', 'lost']])
  desk.write(10 * FEWEST)
  t.is(desk.ask, 0)
})

test('an error that shows once the reading went back still counts, unless all is over', (t) => {
  const desk = new Desk().begin()
  desk.reader.giveWay()
  desk.reader.onFailure(104)
  t.is(desk.lane.load(lane.IN_READ_FAILURE), 104)
  const over = new Desk().begin()
  over.reader.finish()
  over.takeEvents()
  over.reader.onFailure(104)
  over.reader.onEnd()
  t.is(over.lane.load(lane.IN_READ_FAILURE), 0)
  t.deepEqual(over.takeEvents(), [])
})

test('at the end main takes what has come, and the end of the stream', (t) => {
  const desk = new Desk().begin()
  desk.socket.waiting.push('last words', '')
  desk.reader.finish()
  t.is(desk.take(), 'last words')
  t.is(desk.lane.load(lane.IN_STATE), inState.ENDED)
  t.is(desk.ask, 0)
  t.deepEqual(desk.socket.calls, ['read', 'pause'])
})

test('at the end main takes no more than there is room for, and nothing that is the shard’s to read', (t) => {
  const desk = new Desk(BYTES).begin()
  desk.socket.waiting.push('fits', 'does not')
  desk.reader.finish()
  t.is(desk.take(), 'fits')
  const resting = new Desk()
  resting.reader.gain(resting.socket)
  resting.socket.waiting.push('the shard’s')
  resting.reader.finish()
  t.is(resting.take(), '')
})

test('what the shard has lent by the end is taken too', (t) => {
  const desk = new Desk()
  desk.reader.gain(desk.socket)
  desk.write(FEWEST)
  desk.lane.store(lane.IN_LENT, desk.ask)
  desk.socket.waiting.push('unlooked')
  desk.reader.finish()
  t.is(desk.take(), 'unlooked')
})
