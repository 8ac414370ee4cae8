import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { FrameReader } from '../../../engine/connection/frame-reader.js'
import { FrameWriter } from '../../../engine/connection/frame-writer.js'
import { FRAME_HEADER_BYTES } from '../../../engine/protocol/ring-layout.js'
import { distance } from '../../../engine/protocol/ring.js'
import { countAllocations } from '../../helpers/count-allocations.js'
import { encodeFrame, LaneFixture, publishBytes } from '../../helpers/lane-fixture.js'
import { patternBytes } from '../../helpers/random.js'
import { throws } from '../../helpers/expected-errors.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'
import { byLength } from '../../helpers/length.js'
import { holds } from '../../helpers/property.js'

const pattern = patternBytes(2 ** 21, 2)
const RING = 4096
const LIMIT = 40_000
const ringSizes = [4096, 8192, 32_768] as const

class Frames extends LaneFixture {
  readonly writer = new FrameWriter(this.producer)
  readonly reader: FrameReader

  constructor(options: { readonly ringBytes?: number; readonly start?: number; readonly limit?: number } = {}) {
    const { limit = LIMIT, ...lane } = options
    super(lane)
    this.reader = new FrameReader(this.consumer, limit)
  }

  /** The next frame as its receiver gets it; undefined: it is not there yet. */
  take(borrow = false): Buffer | undefined {
    const { reader } = this
    if (reader.next(borrow) !== 'frame') return undefined
    const frame = borrow ? Buffer.from(reader.borrow()) : reader.copy()
    assert.equal(frame.length, reader.length)
    reader.done()
    return frame
  }

  /** As `send()` takes a frame: into the ring if it fits whole, else part by part. */
  send(parts: readonly Uint8Array[]): void {
    const [only] = parts
    if (parts.length === 1 && only !== undefined && this.writer.tryWrite(only)) return
    this.writer.writeOrQueue(
      parts,
      parts.reduce((sum, part) => sum + part.length, 0),
    )
  }
}

interface Step {
  readonly kind: 'send' | 'publish' | 'refill' | 'take' | 'release' | 'grow'
  readonly size: number
  /** Where a sent frame is cut into parts, of 1,000; how many frames are taken at most. */
  readonly extra: number
  readonly borrow: boolean
  readonly foreseen: boolean
}

const anyFrameSize = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 6, arbitrary: fc.nat(40) },
  { weight: 3, arbitrary: fc.nat(1500) },
  // Around the half and the whole of each ring, header included: where reading in place ends and streaming begins.
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...ringSizes), fc.constantFrom(1, 2), fc.integer({ min: -6, max: 2 }))
      .map(([ring, part, off]) => ring / part + off),
  },
  { weight: 1, arbitrary: fc.nat(LIMIT) },
)

const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('send', 'send', 'send', 'publish', 'publish', 'refill', 'take', 'take', 'release', 'grow'),
  size: anyFrameSize,
  extra: fc.nat(999),
  borrow: fc.boolean(),
  foreseen: fc.boolean(),
})

/** Sends and takes frames as the steps say, and checks each frame, the accounts, and that copies stay as they were. */
class Exchange {
  readonly frames: Frames
  readonly #sent: Buffer[] = []
  readonly #kept: { readonly found: Buffer; readonly expected: Buffer }[] = []
  readonly #regions: readonly number[]
  #taken = 0
  #bytesSent = 0
  #from = 0
  regionChanges = 0

  constructor(start: number) {
    this.frames = new Frames({ start })
    this.#regions = ringSizes.map((bytes) => this.frames.addRegion(bytes))
  }

  run(step: Step): void {
    const { producer, consumer, writer } = this.frames
    switch (step.kind) {
      case 'send':
        this.#send(step)
        break
      case 'publish':
        producer.publish()
        break
      case 'refill':
        assert.equal(writer.refill(), writer.overflowBytes === 0)
        break
      case 'take':
        for (let i = step.extra % 8; i >= 0 && this.#take(step.borrow, step.foreseen); i--);
        break
      case 'release':
        consumer.release()
        break
      case 'grow':
        this.#grow(step.extra)
        break
    }
    assert.equal(distance(producer.tail, this.frames.start) + writer.overflowBytes, this.#bytesSent)
  }

  /** Lets everything through that was sent. A reader that waits for ever is a failure. */
  finish(borrow: boolean): void {
    const { producer, consumer, writer } = this.frames
    while (this.#taken < this.#sent.length) {
      const before = [producer.tail, distance(consumer.head, consumer.unreleased), this.#taken].join()
      writer.refill()
      producer.publish()
      while (this.#take(borrow, borrow));
      consumer.release()
      assert.notEqual(
        [producer.tail, distance(consumer.head, consumer.unreleased), this.#taken].join(),
        before,
        'it goes on',
      )
    }
    assert.equal(this.frames.reader.next(borrow), 'incomplete')
    assert.equal(writer.overflowBytes, 0)
    assert.equal(this.frames.reader.midFrame, false)
    for (const { found, expected } of this.#kept) assert.ok(found.equals(expected), 'a copy is never touched again')
    assert.ok(this.frames.guardsIntact)
  }

  #send({ size, extra }: Step): void {
    const frame = pattern.subarray(this.#from, this.#from + size)
    this.#from = (this.#from + size) % (pattern.length - LIMIT)
    this.#sent.push(frame)
    this.#bytesSent += FRAME_HEADER_BYTES + size
    const cut = Math.floor((size * extra) / 1000)
    const parts = [frame.subarray(0, cut), Buffer.alloc(0), frame.subarray(cut)]
    this.frames.send(extra % 3 === 0 ? parts : [frame])
  }

  /** `foreseen` is what `next()` gets, `borrow` what comes true: a consumer may change while a frame comes in. */
  #take(borrow: boolean, foreseen: boolean): boolean {
    const { reader } = this.frames
    const step = reader.next(foreseen)
    assert.notEqual(step, 'too-large')
    if (step !== 'frame') {
      assert.ok(reader.wants >= 1 && reader.wants <= this.frames.consumer.capacity / 4)
      return false
    }
    assert.equal(reader.next(!foreseen), 'frame', 'asking again changes nothing')
    const expected = this.#sent[this.#taken]
    assert.ok(expected !== undefined, 'no frame comes that was not sent')
    assert.equal(reader.length, expected.length)
    assert.ok(reader.borrow().equals(expected), 'the borrowed frame is the one that was sent')
    if (!borrow) {
      const found = reader.copy()
      assert.ok(found.equals(expected), 'the copied frame is the one that was sent')
      this.#kept.push({ found, expected })
    }
    reader.done()
    this.#taken++
    return true
  }

  #grow(choice: number): void {
    const { producer } = this.frames
    const index = choice % this.#regions.length
    const region = this.#regions[index]
    const bytes = ringSizes[index]
    if (region === undefined || bytes === undefined) return
    if (!producer.settled || region === producer.regionId || bytes < producer.capacity) return
    producer.switchTo(region)
    this.regionChanges++
  }
}

test('any frames, written and read in any interleaving, come out as they went in', (t) => {
  let regionChanges = 0
  holds(
    t,
    fc.property(
      fc.oneof(fc.constant(0), fc.nat(2 ** 32 - 1), fc.integer({ min: 2 ** 32 - 9000, max: 2 ** 32 })),
      fc.array(anyStep, { maxLength: 100, size: 'max' }),
      fc.boolean(),
      (start, steps, borrow) => {
        const exchange = new Exchange(start)
        for (const step of steps) exchange.run(step)
        exchange.finish(borrow)
        regionChanges += exchange.regionChanges
      },
    ),
    200,
  )
  t.true(regionChanges > byLength({ short: 10, long: 50 }), String(regionChanges))
})

test('a frame of no bytes is a frame', (t) => {
  const frames = new Frames()
  t.true(frames.writer.tryWrite(Buffer.alloc(0)))
  t.true(frames.writer.tryWrite(Buffer.alloc(0)))
  frames.producer.publish()
  t.is(frames.reader.next(false), 'frame')
  t.is(frames.reader.length, 0)
  t.is(frames.reader.borrow().length, 0)
  frames.reader.done()
  t.is(frames.take()?.length, 0)
  t.is(frames.reader.next(false), 'incomplete')
})

test('a frame in the ring is its length, little-endian, and its bytes', (t) => {
  const { writer, producer } = new Frames()
  writer.tryWrite(Buffer.from('hi'))
  t.deepEqual(
    [...producer.slab.bytes.subarray(producer.origin, producer.origin + 6)],
    [2, 0, 0, 0, ...Buffer.from('hi')],
  )
})

test('frames of every size around a ring pass through it at every place where they can wrap', (t) => {
  for (const size of [0, 1, 3, 4, 2043, 2044, 2045, RING - 5, RING - 4, RING - 3, RING, 3 * RING + 1]) {
    for (const start of [0, 1, RING - 7, RING - 4, RING - 3, RING - 2, RING - 1, 2 ** 32 - 2]) {
      for (const borrow of [true, false]) {
        const frames = new Frames({ start })
        const payload = pattern.subarray(size, 2 * size)
        frames.send([payload])
        let found: Buffer | undefined
        let turns = 0
        while (found === undefined && turns++ < 10) {
          frames.producer.publish()
          found = frames.take(borrow)
          frames.consumer.release()
          frames.writer.refill()
        }
        if (found?.equals(payload) !== true) t.fail(`${String(size)} bytes at ${String(start)}`)
      }
    }
  }
  t.pass()
})

test('a frame that fills the ring exactly is written whole', (t) => {
  const frames = new Frames({ start: 1000 })
  t.true(frames.writer.tryWrite(pattern.subarray(0, RING - FRAME_HEADER_BYTES)))
  t.is(frames.producer.refreshFree(), 0)
  frames.producer.publish()
  t.deepEqual(frames.take(), Buffer.from(pattern.subarray(0, RING - FRAME_HEADER_BYTES)))
})

test('a whole frame that does not fit, or that others wait before, is not written at all', (t) => {
  const { writer, producer } = new Frames()
  t.false(writer.tryWrite(Buffer.alloc(RING - FRAME_HEADER_BYTES + 1)))
  t.is(producer.tail, 0)
  t.is(writer.overflowBytes, 0)
  writer.writeOrQueue([Buffer.alloc(RING)], RING)
  t.is(writer.overflowBytes, FRAME_HEADER_BYTES)
  t.false(writer.tryWrite(Buffer.alloc(0)))
  t.is(producer.tail, RING)
})

test('what does not fit is counted to the byte, and goes down as there is room', (t) => {
  const { writer, producer, consumer } = new Frames()
  writer.writeOrQueue([pattern.subarray(0, 100_000), pattern.subarray(0, 5)], 100_005)
  t.is(writer.overflowBytes, 100_005 + 4 - RING)
  writer.writeOrQueue([], 0)
  t.is(writer.overflowBytes, 100_005 + 4 + 4 - RING)
  let left = writer.overflowBytes
  for (const room of [1, 3, 4000, 1]) {
    producer.publish()
    consumer.refresh()
    consumer.consume(room)
    consumer.release()
    t.false(writer.refill())
    left -= room
    t.is(writer.overflowBytes, left)
    t.is(producer.refreshFree(), 0)
  }
})

test('a part of a frame that is refused for lack of room is copied, so that its sender may use it again', (t) => {
  const frames = new Frames()
  const mine = Buffer.from(pattern.subarray(0, 10_000))
  const expected = Buffer.from(mine)
  frames.writer.writeOrQueue([mine], mine.length)
  mine.fill(0)
  let found: Buffer | undefined
  while (found === undefined) {
    frames.producer.publish()
    found = frames.take()
    frames.consumer.release()
    frames.writer.refill()
  }
  t.deepEqual(found, expected)
})

test('what is discarded is not counted and not written', (t) => {
  const { writer, producer, consumer } = new Frames()
  writer.writeOrQueue([Buffer.alloc(5000)], 5000)
  writer.discard()
  t.is(writer.overflowBytes, 0)
  producer.publish()
  consumer.refresh()
  consumer.consume(RING)
  consumer.release()
  t.true(writer.refill())
  t.is(producer.tail, RING)
})

test('a region may change at every byte of a frame and of its length', (t) => {
  const payload = Buffer.from('payload of a frame that crosses')
  const encoded = Buffer.concat([encodeFrame(payload), encodeFrame(Buffer.from('next'))])
  for (const start of [0, RING - 2, RING - 20]) {
    for (let cut = 0; cut <= encoded.length; cut++) {
      for (const looksBefore of [true, false]) {
        const frames = new Frames({ start })
        const found: (Buffer | undefined)[] = []
        const takeAll = (): void => {
          for (let frame = frames.take(); frame !== undefined; frame = frames.take()) found.push(frame)
          frames.consumer.release()
        }
        publishBytes(frames.producer, encoded.subarray(0, cut))
        if (looksBefore) takeAll()
        frames.producer.switchTo(frames.addRegion(8192))
        if (looksBefore) takeAll()
        publishBytes(frames.producer, encoded.subarray(cut))
        takeAll()
        t.deepEqual(found, [payload, Buffer.from('next')], `cut at ${String(cut)}`)
        t.true(frames.producer.settled)
      }
    }
  }
})

test('a frame may cross several regions', (t) => {
  const frames = new Frames()
  const payload = Buffer.from(pattern.subarray(0, 3000))
  const encoded = encodeFrame(payload)
  for (let at = 0; at < encoded.length; at += 500) {
    publishBytes(frames.producer, encoded.subarray(at, at + 500))
    if (at + 500 >= encoded.length) break
    t.is(frames.take(), undefined)
    t.true(frames.producer.settled)
    frames.producer.switchTo(frames.addRegion(4096))
    t.is(frames.take(), undefined)
  }
  t.deepEqual(frames.take(), payload)
})

test('a small frame is not consumed before it is complete, a large one is streamed', (t) => {
  const small = new Frames()
  publishBytes(small.producer, encodeFrame(Buffer.alloc(2000)).subarray(0, 1000))
  t.is(small.reader.next(false), 'incomplete')
  t.is(small.consumer.unreleased, 0)

  const large = new Frames()
  publishBytes(large.producer, encodeFrame(Buffer.alloc(2045)).subarray(0, 1000))
  t.is(large.reader.next(false), 'incomplete')
  t.is(large.consumer.unreleased, 1000, 'else the producer could run out of room for the rest')
})

test('the reader knows whether it is in the middle of a frame', (t) => {
  for (const size of [100, 3000]) {
    const frames = new Frames()
    const encoded = encodeFrame(Buffer.alloc(size))
    t.is(frames.reader.next(false), 'incomplete')
    t.false(frames.reader.midFrame)
    for (const cut of [1, 4, 50]) {
      publishBytes(frames.producer, encoded.subarray(frames.producer.tail, cut))
      t.is(frames.reader.next(false), 'incomplete')
      t.true(frames.reader.midFrame)
    }
    publishBytes(frames.producer, encoded.subarray(frames.producer.tail))
    t.is(frames.take()?.length, size)
    t.false(frames.reader.midFrame)
  }
})

test('a borrowed frame that lies whole in the ring is a view of it', (t) => {
  const frames = new Frames()
  frames.writer.tryWrite(Buffer.from('view'))
  frames.producer.publish()
  t.is(frames.reader.next(false), 'frame')
  t.is(frames.reader.borrow().buffer, frames.consumer.slab.memory)
  t.not(frames.reader.copy().buffer, frames.consumer.slab.memory)
})

test('borrowed frames that wrap share one scratch buffer', (t) => {
  const frames = new Frames()
  const buffers = new Set<ArrayBufferLike>()
  for (let i = 0; i < 40; i++) {
    frames.writer.tryWrite(pattern.subarray(0, 1500))
    frames.producer.publish()
    t.is(frames.reader.next(true), 'frame')
    const borrowed = frames.reader.borrow()
    t.true(borrowed.equals(pattern.subarray(0, 1500)))
    buffers.add(borrowed.buffer)
    frames.reader.done()
    frames.consumer.release()
  }
  t.is(buffers.size, 2, 'the ring and the scratch buffer')
})

test('a frame that is streamed for a borrower goes into the scratch buffer, and is copied for a reader that keeps it', (t) => {
  const frames = new Frames()
  const stream = (foreseen: boolean): void => {
    frames.writer.writeOrQueue([pattern.subarray(0, 6000)], 6000)
    frames.producer.publish()
    t.is(frames.reader.next(foreseen), 'incomplete')
    frames.consumer.release()
    t.true(frames.writer.refill())
    frames.producer.publish()
    t.is(frames.reader.next(false), 'frame')
  }
  stream(true)
  const borrowed = frames.reader.borrow()
  const kept = frames.reader.copy()
  t.not(kept.buffer, borrowed.buffer)
  frames.reader.done()
  frames.consumer.release()
  stream(true)
  t.is(frames.reader.borrow().buffer, borrowed.buffer)
  frames.reader.done()
  frames.consumer.release()
  stream(false)
  t.not(frames.reader.copy().buffer, borrowed.buffer)
  t.is(frames.reader.copy(), frames.reader.copy(), 'it went into its own memory at once')
  t.true(kept.equals(pattern.subarray(0, 6000)))
})

test('the reader wants what completes a frame, or a quarter of the ring if that is less', (t) => {
  for (const size of [0, 10, 500, 1500, 2044, 2045, 3000, 9000]) {
    for (const cut of [0, 1, 3, 4, 5, 400, 1000, 1999, 2047, 2048, 2049, 2999]) {
      if (cut >= size + 4) continue
      const frames = new Frames({ start: 77 })
      const encoded = encodeFrame(pattern.subarray(0, size))
      publishBytes(frames.producer, encoded.subarray(0, cut))
      t.is(frames.reader.next(false), 'incomplete')
      const { wants } = frames.reader
      t.is(wants, cut < 4 ? 1 : Math.min(size + 4 - cut, RING / 4), `${String(cut)} of ${String(size)}`)
      frames.consumer.release()
      publishBytes(frames.producer, encoded.subarray(cut, cut + wants - 1))
      t.is(frames.reader.next(false), 'incomplete')
      frames.consumer.release()
      publishBytes(frames.producer, encoded.subarray(cut + wants - 1, cut + wants))
      t.is(frames.reader.next(false), cut + wants === size + 4 ? 'frame' : 'incomplete')
    }
  }
})

test('what was read of a frame stays when the rest comes from another ring', (t) => {
  const encoded = encodeFrame(pattern.subarray(0, 3000))
  const first = new Frames()
  publishBytes(first.producer, encoded.subarray(0, 1000))
  t.is(first.reader.next(false), 'incomplete')
  const second = new LaneFixture()
  publishBytes(second.producer, encoded.subarray(1000))
  first.reader.ring = second.consumer
  t.is(first.reader.next(false), 'frame')
  t.deepEqual(first.reader.copy(), Buffer.from(pattern.subarray(0, 3000)))
})

test('a length at the limit is taken, one above it is too large', (t) => {
  for (const start of [0, RING - 2]) {
    const frames = new Frames({ limit: 1000, start })
    frames.writer.tryWrite(pattern.subarray(0, 1000))
    frames.writer.tryWrite(pattern.subarray(0, 1001))
    frames.producer.publish()
    t.is(frames.take()?.length, 1000)
    t.is(frames.reader.next(false), 'too-large')
    t.is(frames.reader.length, 1001)
  }
})

test.serial('a length above the limit takes no memory, however large it is and however it comes', (t) => {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  for (const [length, borrowing] of [
    [1001, false],
    [1001, true],
    [2 ** 31, false],
    [2 ** 32 - 1, false],
    [2 ** 32 - 1, true],
  ] as const) {
    header.writeUInt32LE(length)
    const look = (frames: Frames): void => {
      let step: string | undefined
      const allocations = countAllocations(() => {
        step = frames.reader.next(borrowing)
      })
      t.is(step, 'too-large')
      t.is(frames.reader.length, length)
      t.deepEqual(allocations, [])
    }

    for (const start of [0, RING - 2]) {
      const whole = new Frames({ limit: 1000, start })
      publishBytes(whole.producer, header)
      look(whole)
    }
    for (let cut = 1; cut < FRAME_HEADER_BYTES; cut++) {
      const crossing = new Frames({ limit: 1000 })
      publishBytes(crossing.producer, header.subarray(0, cut))
      crossing.producer.switchTo(crossing.addRegion(8192))
      t.is(crossing.reader.next(borrowing), 'incomplete')
      publishBytes(crossing.producer, header.subarray(cut))
      look(crossing)
    }
  }
})

const MiB = 1_048_576
/** What a frame of which nothing has come may cost. */
const SMALL = 16_384
/** What a byte of a frame that has come may have taken for those behind it. */
const FOR_EACH = 32

for (const [length, borrowing] of [
  [16 * MiB, false],
  [16 * MiB, true],
  [1024 * MiB, false],
  [1024 * MiB, true],
] as const) {
  const way = borrowing ? 'lent' : 'kept'
  test.serial(
    `of ${String(length)} bytes to be ${way} that are announced, those that never come take no memory`,
    (t) => {
      const frames = new Frames({ limit: length })
      const announced = Buffer.alloc(FRAME_HEADER_BYTES + 1)
      announced.writeUInt32LE(length)
      const piece = Buffer.alloc(RING / 2, 'x')
      const sizes = countAllocations(() => {
        publishBytes(frames.producer, announced)
        frames.reader.next(borrowing)
      })
      let held = sizes.reduce((sum, size) => sum + size, 0)
      t.true(held <= SMALL, String(sizes))
      for (let come = 1; come < 200_000; come += piece.length) {
        frames.consumer.release()
        const taken = countAllocations(() => {
          publishBytes(frames.producer, piece)
          frames.reader.next(borrowing)
        })
        held = Math.max(held, ...taken)
        t.true(held <= Math.max(SMALL, FOR_EACH * (come + piece.length)), `${String(held)} for ${String(come)}`)
      }
    },
  )
}

for (const borrowing of [false, true]) {
  test.serial(
    `a frame of 16 MiB that comes in pieces is whole, and moved a little (${borrowing ? 'lent' : 'kept'})`,
    (t) => {
      const frames = new Frames({ limit: 16 * MiB, ringBytes: 131_072 })
      const payload = Buffer.alloc(16 * MiB, patternBytes(100_003, 5))
      let moved = 0
      for (let round = 0; round < 2; round++) {
        let found: Buffer | undefined
        const taken = countAllocations(() => {
          const header = encodeFrame(payload).subarray(0, FRAME_HEADER_BYTES)
          publishBytes(frames.producer, header)
          for (let at = 0; at < payload.length; at += 65_536) {
            t.not(frames.reader.next(borrowing), 'frame')
            frames.consumer.release()
            publishBytes(frames.producer, payload.subarray(at, at + 65_536))
          }
          t.is(frames.reader.next(borrowing), 'frame')
          found = borrowing ? frames.reader.borrow() : frames.reader.copy()
        })
        t.true(found?.equals(payload))
        if (!borrowing) t.is(found?.buffer.byteLength, payload.length, 'no more than it is kept with it')
        frames.reader.done()
        frames.consumer.release()
        t.is(frames.reader.next(borrowing), 'incomplete')
        // The frame itself, or the memory that the last one was lent in.
        moved = taken.filter((size) => size < payload.length && size > 64).reduce((sum, size) => sum + size, 0)
        t.is(taken.includes(payload.length), !borrowing || round === 0)
      }
      t.true(moved < 2 * (payload.length / FOR_EACH + 65_536), String(moved))
    },
  )
}

/** The reader streams a large frame of one byte, for a borrower, and has found it. */
function streamLent(frames: Frames, size: number, byte: string): Buffer {
  const encoded = encodeFrame(Buffer.alloc(size, byte))
  for (let at = 0; at < encoded.length; at += 65_536) {
    frames.reader.next(true)
    frames.consumer.release()
    publishBytes(frames.producer, encoded.subarray(at, at + 65_536))
  }
  assert.equal(frames.reader.next(true), 'frame')
  const lent = frames.reader.borrow()
  frames.reader.done()
  return lent
}

test.serial('what a handler looks at goes to no other reader, even if it reads on in the meantime', (t) => {
  const size = 400_000
  const [one, other] = [1, 2].map(() => new Frames({ limit: MiB, ringBytes: 131_072 }))
  if (one === undefined || other === undefined) throw new Error('there are no readers')
  const lent = streamLent(one, size, 'a')
  one.reader.isLent = true
  t.is(one.reader.next(false), 'incomplete')
  streamLent(other, size, 'b')
  t.true(
    lent.every((byte) => byte === 97),
    'another reader',
  )
  streamLent(one, size, 'c')
  t.true(
    lent.every((byte) => byte === 97),
    'the same reader',
  )
  one.reader.isLent = false
})

test.serial('a scratch buffer is of all readers, and a giant one of none', (t) => {
  const lend = (size: number): readonly number[] => {
    const frames = new Frames({ limit: 64 * MiB, ringBytes: 131_072 })
    const taken = countAllocations(() => {
      const payload = pattern.subarray(0, 65_536)
      const header = Buffer.from(new Uint32Array([size]).buffer)
      publishBytes(frames.producer, header)
      for (let at = 0; at < size; at += payload.length) {
        frames.reader.next(true)
        frames.consumer.release()
        publishBytes(frames.producer, payload.subarray(0, Math.min(payload.length, size - at)))
      }
      t.is(frames.reader.next(true), 'frame')
      frames.reader.done()
      t.is(frames.reader.next(true), 'incomplete')
    })
    return taken.filter((bytes) => bytes >= size)
  }
  lend(8 * MiB)
  t.deepEqual(lend(8 * MiB), [], 'another reader finds the memory of the first')
  t.deepEqual(lend(32 * MiB), [32 * MiB])
  t.deepEqual(lend(32 * MiB), [32 * MiB], 'what is larger than most frames is given back to the system')
  t.deepEqual(lend(8 * MiB), [])
  const small = new Frames({ limit: 16 * MiB, ringBytes: 131_072 })
  publishBytes(small.producer, Buffer.from([0, 0, 0x80, 0, 1]))
  t.is(small.reader.next(true), 'incomplete')
  t.deepEqual(lend(8 * MiB), [], 'a frame that never comes keeps it from no one')
})

test.serial('without memory for a frame each way to it throws ERR_OUT_OF_MEMORY', (t) => {
  const streamed = new Frames()
  publishBytes(streamed.producer, encodeFrame(pattern.subarray(0, 6000)).subarray(0, 4000))
  for (const borrowing of [false, true])
    withoutMemory(1000, () => throws(t, () => streamed.reader.next(borrowing), 'ERR_OUT_OF_MEMORY'))

  const whole = new Frames({ start: RING - 1000 })
  whole.send([pattern.subarray(0, 1500)])
  whole.producer.publish()
  t.is(whole.reader.next(), 'frame')
  withoutMemory(1000, () => {
    throws(t, () => whole.reader.copy(), 'ERR_OUT_OF_MEMORY')
    throws(t, () => whole.reader.borrow(), 'ERR_OUT_OF_MEMORY')
  })
  t.true(whole.reader.borrow().equals(pattern.subarray(0, 1500)))

  const changed = new Frames()
  changed.send([pattern.subarray(0, 6000)])
  changed.producer.publish()
  t.is(changed.reader.next(true), 'incomplete')
  changed.consumer.release()
  changed.writer.refill()
  changed.producer.publish()
  t.is(changed.reader.next(true), 'frame')
  withoutMemory(1000, () => throws(t, () => changed.reader.copy(), 'ERR_OUT_OF_MEMORY'))
})

test.serial('without memory for what does not fit nothing of a frame is taken', (t) => {
  const frames = new Frames({ limit: 200_000 })
  frames.send([pattern.subarray(0, 10)])
  for (const parts of [[pattern.subarray(0, 100_000)], [pattern.subarray(0, 3000), pattern.subarray(0, 70_000)]]) {
    withoutMemory(60_000, () => throws(t, () => frames.send(parts), 'ERR_OUT_OF_MEMORY'))
    t.is(frames.writer.overflowBytes, 0)
    t.is(frames.producer.tail, 14)
  }
  frames.send([pattern.subarray(0, 9000)])
  const queued = frames.writer.overflowBytes
  withoutMemory(60_000, () => throws(t, () => frames.send([pattern.subarray(0, 100_000)]), 'ERR_OUT_OF_MEMORY'))
  t.is(frames.writer.overflowBytes, queued)
  frames.send([pattern.subarray(0, 100_000)])
  const found: Buffer[] = []
  while (found.length < 3) {
    frames.producer.publish()
    for (let frame = frames.take(); frame !== undefined; frame = frames.take()) found.push(frame)
    frames.consumer.release()
    frames.writer.refill()
  }
  t.deepEqual(
    found.map(({ length }) => length),
    [10, 9000, 100_000],
  )
  t.true(found[2]?.equals(pattern.subarray(0, 100_000)))
})
