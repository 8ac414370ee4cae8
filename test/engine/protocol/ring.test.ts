import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { RingBuffer } from 'ringbuf.js'
import { distance } from '../../../engine/protocol/ring.js'
import { LaneFixture, publishBytes } from '../../helpers/lane-fixture.js'
import { patternBytes } from '../../helpers/random.js'
import { byLength } from '../../helpers/length.js'
import { holds } from '../../helpers/property.js'

const sizes = [4096, 8192, 32_768] as const
const pattern = patternBytes(2 ** 23, 1)

/** Where positions begin: anywhere, and just before they wrap as Int32 and as Uint32. */
const anyStart = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 2 ** 31 - 9000, max: 2 ** 31 }),
  fc.integer({ min: 2 ** 32 - 9000, max: 2 ** 32 }),
  fc.nat(2 ** 32 - 1),
)

const anySize = fc.oneof(fc.nat(70), fc.nat(5000), fc.nat(40_000))

interface Step {
  readonly kind: 'write' | 'claim' | 'publish' | 'refreshFree' | 'refresh' | 'read' | 'consume' | 'release' | 'switch'
  readonly size: number
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    'write',
    'write',
    'claim',
    'publish',
    'publish',
    'refreshFree',
    'refresh',
    'refresh',
    'read',
    'consume',
    'consume',
    'release',
    'release',
    'switch',
  ),
  size: anySize,
})

/** A ring beside the simplest model of one: positions in an endless stream of pattern bytes. */
class Modelled {
  readonly fixture: LaneFixture
  written = 0
  published = 0
  consumed = 0
  released = 0
  capacity: number
  /** Where a region change lies that the consumer has not yet gone through. */
  switchAt: number | undefined
  regionChanges = 0
  readonly #regions: readonly { readonly id: number; readonly bytes: number }[]

  constructor(ringBytes: number, start: number, direction: 'out' | 'in') {
    this.fixture = new LaneFixture({ ringBytes, start, direction, laneId: 2 })
    this.capacity = ringBytes
    this.#regions = [
      { id: this.fixture.producer.regionId, bytes: ringBytes },
      ...sizes.map((bytes) => ({ id: this.fixture.addRegion(bytes), bytes })),
    ]
  }

  run({ kind, size }: Step): void {
    const { producer, consumer } = this.fixture
    switch (kind) {
      case 'write': {
        const length = Math.min(size, producer.free)
        // Out of the middle of a larger buffer, as parts of frames are.
        producer.write(pattern, this.written, this.written + length)
        this.written += length
        break
      }
      case 'claim':
        this.#claim(size)
        break
      case 'publish':
        producer.publish()
        this.published = this.written
        break
      case 'refreshFree':
        assert.equal(producer.refreshFree(), this.capacity - (this.written - this.released))
        assert.equal(producer.free, this.capacity - (this.written - this.released))
        break
      case 'refresh':
        this.#refresh()
        break
      case 'read':
        this.#read(Math.min(size, consumer.readable))
        break
      case 'consume': {
        const length = Math.min(size, consumer.readable)
        this.#readInPlace(length)
        consumer.consume(length)
        this.consumed += length
        break
      }
      case 'release':
        consumer.release()
        this.released = this.consumed
        break
      case 'switch':
        this.#switch(size)
        break
    }
    this.#check()
  }

  /** Publishes and takes all that was written; the steps before it decided where it lies. */
  drain(): void {
    this.run({ kind: 'publish', size: 0 })
    while (this.consumed < this.written) {
      this.run({ kind: 'refresh', size: 0 })
      const before = this.consumed
      this.run({ kind: 'read', size: Infinity })
      this.run({ kind: 'consume', size: Infinity })
      assert.ok(this.consumed > before, 'published bytes can be read')
    }
    this.run({ kind: 'refresh', size: 0 })
    this.run({ kind: 'release', size: 0 })
    assert.ok(this.fixture.producer.settled)
    assert.equal(this.fixture.producer.refreshFree(), this.capacity)
    assert.ok(this.fixture.guardsIntact, 'no byte outside the regions was written')
  }

  /** As the kernel reads into the ring: into one segment or two, then the bytes are counted. */
  #claim(size: number): void {
    const { producer } = this.fixture
    const length = Math.min(size, producer.free)
    const first = Math.min(length, producer.contiguous)
    const { bytes } = producer.slab
    pattern.copy(bytes, producer.offset, this.written, this.written + first)
    pattern.copy(bytes, producer.origin, this.written + first, this.written + length)
    producer.commit(length)
    this.written += length
  }

  #refresh(): void {
    const { consumer } = this.fixture
    if (this.switchAt === this.consumed && this.published >= this.switchAt) {
      this.switchAt = undefined
      // Entering a region gives everything before it back.
      this.released = this.consumed
    }
    const end = Math.min(this.published, this.switchAt ?? Infinity)
    assert.equal(consumer.refresh(), end - this.consumed)
    assert.equal(consumer.readable, end - this.consumed)
    assert.equal(distance(consumer.seen, this.fixture.start), this.published)
    assert.equal(consumer.regionEnds, this.switchAt !== undefined)
  }

  #read(length: number): void {
    const target = Buffer.alloc(length + 2, 0xee)
    this.fixture.consumer.read(target, 1, length)
    assert.ok(this.#expected(length).equals(target.subarray(1, length + 1)), 'the bytes that were written')
    assert.equal(target[0], 0xee)
    assert.equal(target[length + 1], 0xee)
  }

  /** As the kernel writes from the ring: out of one segment or two. */
  #readInPlace(length: number): void {
    const { consumer } = this.fixture
    const { bytes } = consumer.slab
    const first = Math.min(length, consumer.contiguous)
    const found = Buffer.concat([
      bytes.subarray(consumer.offset, consumer.offset + first),
      bytes.subarray(consumer.origin, consumer.origin + length - first),
    ])
    assert.ok(this.#expected(length).equals(found), 'the bytes that were written')
  }

  #expected(length: number): Buffer {
    return pattern.subarray(this.consumed, this.consumed + length)
  }

  #switch(size: number): void {
    const { producer } = this.fixture
    assert.equal(producer.settled, this.switchAt === undefined)
    if (!producer.settled) return
    const region = this.#regions[size % this.#regions.length]
    if (region === undefined || region.id === producer.regionId) return
    if (region.bytes < this.capacity && this.written !== this.released) return
    // A producer knows that its ring is empty only by looking.
    if (region.bytes < this.capacity) producer.refreshFree()
    producer.switchTo(region.id)
    this.regionChanges++
    this.capacity = region.bytes
    this.switchAt = this.written
  }

  #check(): void {
    const { producer, consumer } = this.fixture
    assert.equal(producer.capacity, this.capacity)
    assert.equal(producer.unpublished, this.written - this.published)
    assert.equal(consumer.unreleased, this.consumed - this.released)
    assert.equal(distance(producer.tail, this.fixture.start), this.written)
    assert.equal(distance(consumer.head, this.fixture.start), this.consumed)
    assert.ok(producer.free >= 0 && producer.free <= this.capacity - (this.written - this.released))
    assert.ok(consumer.readable >= 0 && consumer.readable <= this.published - this.consumed)
  }
}

test('any interleaving of both ends, with region changes, gives the bytes back in order', (t) => {
  let regionChanges = 0
  let bytes = 0
  holds(
    t,
    fc.property(
      fc.constantFrom(...sizes),
      anyStart,
      fc.constantFrom('out' as const, 'in' as const),
      fc.array(anyStep, { maxLength: 150, size: 'max' }),
      (ringBytes, start, direction, steps) => {
        const modelled = new Modelled(ringBytes, start, direction)
        for (const step of steps) modelled.run(step)
        modelled.drain()
        regionChanges += modelled.regionChanges
        bytes += modelled.written
      },
    ),
    200,
  )
  // Steps that never changed a region would prove little.
  t.true(regionChanges > byLength({ short: 25, long: 100 }), String(regionChanges))
  t.true(bytes > byLength({ short: 250_000, long: 1_000_000 }), String(bytes))
})

test('a fixed producer and consumer cross 2^31 and 2^32 byte by byte', (t) => {
  for (const start of [2 ** 31 - 10, 2 ** 32 - 10]) {
    const { producer, consumer, words } = new LaneFixture({ start })
    for (let i = 0; i < 20; i++) {
      publishBytes(producer, Buffer.of(i))
      t.is(words[0], (start + i + 1) | 0)
      t.is(consumer.refresh(), 1)
      const byte = Buffer.alloc(1)
      consumer.read(byte, 0, 1)
      consumer.consume(1)
      consumer.release()
      t.is(byte[0], i)
      t.is(producer.refreshFree(), 4096)
    }
  }
})

test('a ring can be filled to its last byte, and a full one has no room', (t) => {
  for (const start of [0, 100, 2 ** 31 - 100, 2 ** 32 - 100]) {
    const { producer, consumer } = new LaneFixture({ start })
    const bytes = pattern.subarray(0, 4096)
    publishBytes(producer, bytes)
    t.is(producer.free, 0)
    t.is(producer.refreshFree(), 0)
    t.is(consumer.refresh(), 4096)
    const target = Buffer.alloc(4096)
    consumer.read(target, 0, 4096)
    t.deepEqual(target, bytes)
  }
})

test('a claim of two segments is committed at once and read as one', (t) => {
  const { producer, consumer } = new LaneFixture({ start: 4096 - 3 })
  t.is(producer.contiguous, 3)
  t.is(producer.offset, producer.origin + 4093)
  producer.slab.bytes.write('abc', producer.offset)
  producer.slab.bytes.write('defgh', producer.origin)
  producer.commit(8)
  t.is(producer.unpublished, 8)
  t.is(consumer.refresh(), 0, 'nothing is visible before it is published')
  producer.publish()
  t.is(consumer.refresh(), 8)
  t.is(consumer.contiguous, 3)
  const target = Buffer.alloc(8)
  consumer.read(target, 0, 8)
  t.is(target.toString(), 'abcdefgh')
  consumer.consume(3)
  t.is(consumer.contiguous, 4096)
  t.is(consumer.offset, consumer.origin)
})

test('room is counted by the cached HEAD until it is looked at again', (t) => {
  const { producer, consumer } = new LaneFixture()
  publishBytes(producer, Buffer.alloc(4000))
  consumer.refresh()
  consumer.consume(4000)
  consumer.release()
  t.is(producer.free, 96)
  t.is(producer.refreshFree(), 4096)
})

test('bytes before a region change stay where they are, and the old region is free once they are released', (t) => {
  const fixture = new LaneFixture()
  const { producer, consumer } = fixture
  publishBytes(producer, Buffer.from('old'))
  const old = producer.regionId
  const grown = fixture.addRegion(8192)
  producer.switchTo(grown)
  publishBytes(producer, Buffer.from('new'))
  t.is(producer.capacity, 8192)

  t.is(consumer.refresh(), 3, 'the old region is read to its end first')
  t.true(consumer.regionEnds)
  t.is(consumer.regionId, old)
  const target = Buffer.alloc(3)
  consumer.read(target, 0, 3)
  t.is(target.toString(), 'old')
  t.false(producer.settled)
  consumer.consume(3)

  t.is(consumer.refresh(), 3)
  t.false(consumer.regionEnds)
  t.is(consumer.regionId, grown)
  consumer.read(target, 0, 3)
  t.is(target.toString(), 'new')
  t.true(producer.settled)
  t.is(producer.refreshFree(), 8192 - 3)
})

test('a region change that is not yet reached by TAIL leaves the consumer where it is', (t) => {
  const fixture = new LaneFixture()
  const { producer, consumer } = fixture
  publishBytes(producer, Buffer.from('seen'))
  producer.write(Buffer.from('unseen'), 0, 6)
  producer.switchTo(fixture.addRegion(8192))
  t.is(consumer.refresh(), 4)
  t.true(consumer.regionEnds, 'the change itself is visible')
  consumer.consume(4)
  t.is(consumer.refresh(), 0)
  t.false(producer.settled)
  producer.publish()
  t.is(consumer.refresh(), 6)
  const target = Buffer.alloc(6)
  consumer.read(target, 0, 6)
  t.is(target.toString(), 'unseen')
})

test('an empty ring may go on in a smaller region', (t) => {
  const fixture = new LaneFixture({ ringBytes: 32_768 })
  const { producer, consumer } = fixture
  publishBytes(producer, Buffer.alloc(20_000))
  consumer.refresh()
  consumer.consume(20_000)
  consumer.release()
  t.is(producer.refreshFree(), 32_768)
  producer.switchTo(fixture.addRegion(4096))
  t.is(producer.free, 4096)
  t.is(consumer.refresh(), 0)
  t.true(producer.settled)
  publishBytes(producer, pattern.subarray(0, 4096))
  t.is(consumer.refresh(), 4096)
  const target = Buffer.alloc(4096)
  consumer.read(target, 0, 4096)
  t.deepEqual(target, pattern.subarray(0, 4096))
})

const anyExchange = fc.array(
  fc.record({ kind: fc.constantFrom('push', 'pop'), size: fc.oneof(fc.nat(100), fc.nat(6000)) }),
  { maxLength: 150, size: 'max' },
)

test('the same pushes and pops give the same bytes as ringbuf.js', (t) => {
  holds(
    t,
    fc.property(anyStart, anyExchange, (start, steps) => {
      const capacity = 4096
      const { producer, consumer } = new LaneFixture({ ringBytes: capacity, start })
      const reference = new RingBuffer(RingBuffer.getStorageForCapacity(capacity, Uint8Array), Uint8Array)
      assert.equal(reference.capacity(), capacity)
      let written = 0
      for (const { kind, size } of steps) {
        if (kind === 'push') {
          const bytes = pattern.subarray(written, written + size)
          const taken = reference.push(new Uint8Array(bytes))
          const fits = Math.min(size, producer.refreshFree())
          assert.equal(fits, taken)
          producer.write(bytes, 0, fits)
          producer.publish()
          written += fits
        } else {
          const theirs = new Uint8Array(size)
          const ours = Buffer.alloc(size)
          const length = Math.min(size, consumer.refresh())
          assert.equal(reference.pop(theirs), length)
          consumer.read(ours, 0, length)
          consumer.consume(length)
          consumer.release()
          assert.ok(ours.equals(theirs))
        }
        assert.equal(consumer.refresh(), reference.availableRead())
        assert.equal(producer.refreshFree(), reference.availableWrite())
      }
    }),
    150,
  )
})
