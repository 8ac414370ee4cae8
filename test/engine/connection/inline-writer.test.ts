/** When main writes to a socket itself, and what becomes of the duplicate that it does so by. */
import test from 'ava'
import { Ledger } from '../../../engine/common/ledger.js'
import type { ConnectionSettings } from '../../../engine/connection/connection-settings.js'
import { InlineBudget } from '../../../engine/connection/inline-budget.js'
import { InlineWriter } from '../../../engine/connection/inline-writer.js'
import type { DuplicateSocket } from '../../../engine/connection/lane-host.js'
import { OutRing } from '../../../engine/connection/out-ring.js'
import { LoneLane } from '../../helpers/lone-connection.js'
import { turns } from '../../helpers/turns.js'

const ASK_AFTER = 4
const ASK_AGAIN_AFTER = 256
const RING_BYTES = 4_096
const LIMIT = 1_000

/** A socket that takes as many bytes as it is told to. */
class FakeSocket implements DuplicateSocket {
  readonly taken: string[] = []
  closes = 0
  isRead = false
  room = Infinity

  write(bytes: Uint8Array, offset: number, length: number): number {
    const fits = Math.min(length, this.room)
    if (fits > 0) this.taken.push(Buffer.from(bytes.subarray(offset, offset + fits)).toString('latin1'))
    return fits
  }

  read(): void {
    this.isRead = true
  }

  pause(): void {
    this.isRead = false
  }

  readNow(): number {
    return -1
  }

  close(): void {
    this.closes++
  }
}

/** A writer over a lane whose shard is the test, and the duplicates that it asks for. */
class Desk {
  readonly lane: LoneLane
  readonly ledger = new Ledger()
  readonly budget = new InlineBudget(this.ledger)
  readonly out: OutRing
  readonly writer: InlineWriter
  isShardAsleep = true
  wrote = 0
  readonly #asked: ((socket: DuplicateSocket | undefined) => void)[] = []

  constructor(options: Partial<ConnectionSettings> = {}) {
    this.lane = new LoneLane({ inlineWriteBytes: LIMIT, ...options })
    const lane = this.lane.createLane()
    this.out = new OutRing(lane, () => undefined)
    this.writer = new InlineWriter(
      lane,
      {
        budget: this.budget,
        isShardAsleep: () => this.isShardAsleep,
        duplicate: () => new Promise((resolve) => this.#asked.push(resolve)),
        wrote: (bytes) => {
          this.wrote += bytes
        },
        didRead: () => undefined,
        visit: () => undefined,
      },
      this.out,
    )
  }

  get asked(): number {
    return this.#asked.length
  }

  get duplicates(): number {
    return this.ledger.snapshot().byKind.duplicates.open
  }

  /** As a sender's flush: true if main has written all of it. */
  flush(text = 'x'): boolean {
    if (text !== '') this.out.ring.write(Buffer.from(text, 'latin1'), 0, text.length)
    const isDone = this.writer.write()
    if (!isDone) this.out.publish()
    return isDone
  }

  /** The shard has handed over everything that was published. */
  takeAll(): string {
    const { consumer } = this.lane
    const length = consumer.refresh()
    const bytes = Buffer.alloc(length)
    consumer.read(bytes, 0, length)
    this.lane.takeAll()
    return bytes.toString('latin1')
  }

  async answer(socket: DuplicateSocket | undefined): Promise<void> {
    this.#asked.shift()?.(socket)
    await turns()
  }

  flushMany(count: number): void {
    for (let i = 0; i < count; i++) {
      this.flush()
      this.takeAll()
    }
  }

  async withSocket(): Promise<FakeSocket> {
    const socket = new FakeSocket()
    this.flushMany(ASK_AFTER)
    await this.answer(socket)
    return socket
  }
}

test('a duplicate is asked for at the fourth flush that main could have written, and only once', (t) => {
  const desk = new Desk()
  desk.flushMany(ASK_AFTER - 1)
  t.is(desk.asked, 0)
  desk.flushMany(1)
  t.is(desk.asked, 1)
  desk.flushMany(10 * ASK_AGAIN_AFTER)
  t.is(desk.asked, 1)
})

for (const [what, flushInVain] of [
  [
    'the shard was awake',
    (desk: Desk) => {
      desk.isShardAsleep = false
      desk.flush()
      desk.isShardAsleep = true
      desk.takeAll()
    },
  ],
  [
    'the shard had not handed over all before it',
    (desk: Desk) => {
      desk.out.ring.write(Buffer.from('before'), 0, 6)
      desk.out.publish()
      desk.flush()
      desk.takeAll()
    },
  ],
  [
    'there was more than inlineWriteBytes',
    (desk: Desk) => {
      desk.flush('y'.repeat(LIMIT + 1))
      desk.takeAll()
    },
  ],
  ['there was nothing', (desk: Desk) => desk.flush('')],
] as const) {
  test(`a flush does not count if ${what}`, (t) => {
    const desk = new Desk()
    for (let i = 0; i < 10 * ASK_AFTER; i++) flushInVain(desk)
    t.is(desk.asked, 0)
    desk.flushMany(ASK_AFTER)
    t.is(desk.asked, 1)
  })
}

test('what main writes never reaches the shard, and what the shard writes main does not', async (t) => {
  const desk = new Desk()
  const socket = await desk.withSocket()
  t.true(desk.flush('by main'))
  t.is(desk.takeAll(), '')
  t.false(desk.flush('z'.repeat(LIMIT + 1)))
  t.is(desk.takeAll(), 'z'.repeat(LIMIT + 1))
  t.true(desk.flush('again'))
  t.is(desk.takeAll(), '')
  t.deepEqual(socket.taken, ['by main', 'again'])
  t.is(desk.wrote, 12)
})

test('main writes nothing while anything before it waits', async (t) => {
  const desk = new Desk()
  const socket = await desk.withSocket()
  desk.isShardAsleep = false
  t.false(desk.flush('first'))
  desk.isShardAsleep = true
  t.false(desk.flush(' second'))
  const { consumer } = desk.lane
  consumer.refresh()
  consumer.consume('first second'.length - 1)
  consumer.release()
  t.false(desk.flush(' third'))
  t.deepEqual(socket.taken, [])
  t.is(desk.takeAll(), 'd third')
  t.true(desk.flush('fourth'))
  t.deepEqual(socket.taken, ['fourth'])
})

test('what the socket does not take goes by the shard, behind what it took', async (t) => {
  const desk = new Desk()
  const socket = await desk.withSocket()
  socket.room = 3
  t.false(desk.flush('abcdefgh'))
  t.deepEqual(socket.taken, ['abc'])
  t.is(desk.takeAll(), 'defgh')
  socket.room = 0
  t.false(desk.flush('full'))
  t.is(desk.takeAll(), 'full')
  t.is(desk.wrote, 3)
})

test('bytes that go round the end of the ring are left to the shard', async (t) => {
  const desk = new Desk()
  const socket = await desk.withSocket()
  const toEnd = (): number => RING_BYTES - (desk.out.ring.tail % RING_BYTES)
  while (toEnd() > LIMIT) {
    t.false(desk.flush('p'.repeat(LIMIT + 1)))
    desk.takeAll()
  }
  t.false(desk.flush('q'.repeat(toEnd() + 1)))
  t.is(desk.takeAll().replaceAll('q', ''), '')
  t.true(desk.flush('behind it'))
  t.deepEqual(socket.taken, ['behind it'])
})

test('once the shard has left the region of a ring that has grown, main writes again', async (t) => {
  const desk = new Desk({ maxRingBytes: 8 * RING_BYTES })
  const socket = await desk.withSocket()
  await desk.lane.announcer.acknowledge()
  desk.out.ring.write(Buffer.from('former'), 0, 6)
  desk.out.grow(2 * RING_BYTES)
  t.true(desk.out.ring.capacity > RING_BYTES)
  // It lies in two regions.
  t.false(desk.flush(' and larger'))
  t.deepEqual(socket.taken, [])
  t.is(desk.takeAll() + desk.takeAll(), 'former and larger')
  t.true(desk.flush('by main'))
  t.deepEqual(socket.taken, ['by main'])
})

test('a duplicate that comes after the end is closed, and the connection counts no more', async (t) => {
  const desk = new Desk()
  desk.flushMany(ASK_AFTER)
  t.is(desk.duplicates, 1)
  desk.writer.close()
  t.is(desk.duplicates, 0)
  const socket = new FakeSocket()
  await desk.answer(socket)
  t.is(socket.closes, 1)
  t.false(desk.flush('too late'))
  t.deepEqual(socket.taken, [])
  desk.flushMany(2 * ASK_AGAIN_AFTER)
  t.is(desk.asked, 0)
})

test('the end closes the duplicate at once, and once', async (t) => {
  const desk = new Desk()
  const socket = await desk.withSocket()
  desk.writer.close()
  desk.writer.close()
  t.is(socket.closes, 1)
  t.is(desk.duplicates, 0)
  t.false(desk.flush('too late'))
  t.deepEqual(socket.taken, [])
})

test('where there was no duplicate to be had it is asked for again after 256 flushes', async (t) => {
  const desk = new Desk()
  desk.flushMany(ASK_AFTER)
  await desk.answer(undefined)
  t.is(desk.duplicates, 0)
  desk.flushMany(ASK_AGAIN_AFTER - 1)
  t.is(desk.asked, 0)
  desk.flushMany(1)
  t.is(desk.asked, 1)
  const socket = new FakeSocket()
  await desk.answer(socket)
  t.true(desk.flush('at last'))
  t.deepEqual(socket.taken, ['at last'])
})

test('where the budget has no room it is asked again after 256 flushes', (t) => {
  const desk = new Desk()
  const others = Array.from({ length: 64 }, () => ({ lastUse: 0, giveWay: () => undefined }))
  for (const other of others) desk.budget.admit(other)
  desk.flushMany(ASK_AFTER)
  for (const other of others) desk.budget.release(other)
  desk.flushMany(ASK_AGAIN_AFTER - 1)
  t.is(desk.asked, 0)
  desk.flushMany(1)
  t.is(desk.asked, 1)
})

test('one that is given up for another connection is closed, and asked for again after 256 flushes', async (t) => {
  const desk = new Desk()
  const socket = await desk.withSocket()
  desk.writer.giveWay()
  t.is(socket.closes, 1)
  t.is(desk.duplicates, 0)
  t.false(desk.flush())
  desk.takeAll()
  desk.flushMany(ASK_AGAIN_AFTER - 2)
  t.is(desk.asked, 0)
  desk.flushMany(1)
  t.is(desk.asked, 1)
  t.is(desk.duplicates, 1)
})

test('one that is given up on its way is closed when it comes, and a later one is taken', async (t) => {
  const desk = new Desk()
  const [early, late] = [new FakeSocket(), new FakeSocket()]
  desk.flushMany(ASK_AFTER)
  desk.writer.giveWay()
  await desk.answer(early)
  t.is(early.closes, 1)
  desk.flushMany(ASK_AGAIN_AFTER)
  await desk.answer(late)
  t.true(desk.flush('by the later one'))
  t.deepEqual([early.taken, late.taken], [[], ['by the later one']])
  t.is(late.closes, 0)
})
