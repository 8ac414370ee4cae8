import test from 'ava'
import fc from 'fast-check'
import { BellListener, BellNotifier, createBellMemory } from '../../../engine/protocol/bell.js'
import { HEADER_SLAB_BYTES, LaneTable, takeArmed } from '../../../engine/protocol/lane.js'
import { regionOffset, SlabTable } from '../../../engine/protocol/slab-table.js'
import {
  bell,
  inWords,
  lane,
  LANE_WORDS,
  LANES_PER_HEADER_SLAB,
  MAX_LANES,
  MAX_SLAB_ID,
  orderFor,
  outWords,
  regionBytes,
  regionIdOf,
  regionSizeFor,
  sizeOfRegion,
  SLAB_BYTES,
  slabOfRegion,
  unitOfRegion,
  UNITS_PER_SLAB,
} from '../../../engine/protocol/ring-layout.js'
import { LaneFixture, publishBytes } from '../../helpers/lane-fixture.js'
import { holds } from '../../helpers/property.js'

// Offsets are written out here on purpose: they must be those of the drawing in ring-layout.ts.

const drawing = {
  main: {
    first: 0,
    last: 15,
    names: [
      'OUT_TAIL',
      'OUT_REGION',
      'OUT_SWITCH_AT',
      'OUT_INTENT',
      'IN_HEAD',
      'IN_REGION_ACK',
      'IN_GRANT',
      'GENERATION',
      'OUT_SPACE_AT',
      'IN_NOTIFY_AT',
      'IN_READER',
      'IN_READ_FAILURE',
    ],
  },
  shard: {
    first: 16,
    last: 31,
    names: [
      'OUT_HEAD',
      'OUT_SENT',
      'OUT_REGION_ACK',
      'OUT_STATE',
      'IN_TAIL',
      'IN_REGION',
      'IN_SWITCH_AT',
      'IN_STATE',
      'LIFE',
      'FAILURE',
      'FAILURE_CALL',
      'IN_SPACE_AT',
      'IN_HELD',
      'IN_LENT',
    ],
  },
  outHandshakes: { first: 32, last: 47, names: ['OUT_NOTIFY', 'OUT_SPACE', 'OUT_TAKEN_AT', 'OUT_WRITTEN_AT'] },
  inHandshakes: { first: 48, last: 63, names: ['IN_NOTIFY', 'IN_SPACE', 'IN_GROW', 'IN_GUARD', 'IN_READ_AT'] },
} as const

const lines = Object.values(drawing)

test('no two words of a lane coincide', (t) => {
  const offsets = Object.values(lane)
  t.is(new Set(offsets).size, offsets.length)
})

test('every word of a lane is in the drawing, once', (t) => {
  const drawn = lines.flatMap((line): readonly string[] => line.names)
  t.deepEqual(drawn.sort(), Object.keys(lane).sort())
})

test('every word lies in the cache line of its writer', (t) => {
  for (const { first, last, names } of lines) {
    for (const name of names) t.true(lane[name] >= first && lane[name] <= last, name)
  }
})

test('a lane is four cache lines long and a header slab holds 256 lanes', (t) => {
  t.is(LANE_WORDS * Int32Array.BYTES_PER_ELEMENT, 4 * 64)
  t.is(LANES_PER_HEADER_SLAB, 256)
  t.is(new SharedArrayBuffer(HEADER_SLAB_BYTES).byteLength, 256 * 256)
})

test('the words that a ring writes belong to the thread that holds its end', (t) => {
  const isMain = (word: number): boolean => word < 16
  t.deepEqual([outWords.tail, outWords.region, outWords.switchAt].map(isMain), [true, true, true])
  t.deepEqual([outWords.head, outWords.regionAck].map(isMain), [false, false])
  t.deepEqual([inWords.tail, inWords.region, inWords.switchAt].map(isMain), [false, false, false])
  t.deepEqual([inWords.head, inWords.regionAck].map(isMain), [true, true])
})

const rawOffsets = {
  out: { tail: 0, region: 1, switchAt: 2, head: 16, ack: 18 },
  in: { tail: 20, region: 21, switchAt: 22, head: 4, ack: 5 },
} as const

for (const direction of ['out', 'in'] as const) {
  const raw = rawOffsets[direction]

  test(`${direction}: the producer stores TAIL where it is drawn, and only when it publishes`, (t) => {
    const { words, base, producer } = new LaneFixture({ direction, laneId: 3 })
    t.is(base, 3 * 64)
    const before = words.slice()
    producer.write(Buffer.from('abcde'), 0, 5)
    t.deepEqual(changedWords(words, before), [])
    producer.publish()
    t.deepEqual(changedWords(words, before), [[3 * 64 + raw.tail, 5]])
  })

  test(`${direction}: the consumer sees a TAIL that was poked in`, (t) => {
    const { words, consumer, producer } = new LaneFixture({ direction })
    producer.slab.bytes.write('hello', producer.origin)
    words[raw.tail] = 5
    t.is(consumer.readable, 0, 'it goes by the cached TAIL')
    t.is(consumer.refresh(), 5)
    t.is(consumer.seen, 5)
    const bytes = Buffer.alloc(5)
    consumer.read(bytes, 0, 5)
    t.is(bytes.toString(), 'hello')
  })

  test(`${direction}: the consumer stores HEAD where it is drawn, and only when it releases`, (t) => {
    const { words, consumer } = new LaneFixture({ direction })
    words[raw.tail] = 100
    consumer.refresh()
    consumer.consume(60)
    t.is(words[raw.head], 0)
    t.is(consumer.unreleased, 60)
    consumer.release()
    t.is(words[raw.head], 60)
    t.is(consumer.unreleased, 0)
  })

  test(`${direction}: the producer sees a HEAD that was poked in`, (t) => {
    const { words, producer } = new LaneFixture({ direction })
    publishBytes(producer, Buffer.alloc(4096))
    t.is(producer.refreshFree(), 0)
    words[raw.head] = 1000
    t.is(producer.free, 0, 'it goes by the cached HEAD')
    t.is(producer.refreshFree(), 1000)
  })

  test(`${direction}: a region change is SWITCH_AT, REGION and, once it is reached, the acknowledgement`, (t) => {
    const fixture = new LaneFixture({ direction })
    const { words, producer, consumer } = fixture
    const first = producer.regionId
    publishBytes(producer, Buffer.alloc(10))
    const second = fixture.addRegion(8192)
    producer.switchTo(second)
    t.is(words[raw.switchAt], 10)
    t.is(words[raw.region], second)
    t.is(words[raw.ack], first)
    t.false(producer.settled)
    consumer.refresh()
    consumer.consume(10)
    t.is(words[raw.ack], first, 'HEAD was not yet released, so the region is still in use')
    consumer.refresh()
    t.is(words[raw.head], 10)
    t.is(words[raw.ack], second)
    t.true(producer.settled)
  })

  test(`${direction}: both ends start from the words that they find`, (t) => {
    const { producer, consumer } = new LaneFixture({ direction, start: 2 ** 31 + 7, ringBytes: 8192 })
    t.is(producer.tail, -(2 ** 31) + 7)
    t.is(consumer.head, -(2 ** 31) + 7)
    t.is(producer.offset, producer.origin + 7)
    t.is(consumer.offset, consumer.origin + 7)
    t.is(producer.free, 8192)
    t.is(consumer.refresh(), 0)
  })
}

/** The words that differ, with their indices. */
function changedWords(words: Int32Array, before: Int32Array): [number, number][] {
  return [...words.entries()].filter(([i, value]) => value !== before[i])
}

test('the lane table finds a lane in the header slab that carries it', (t) => {
  const table = new LaneTable()
  const memories = [new SharedArrayBuffer(HEADER_SLAB_BYTES), new SharedArrayBuffer(HEADER_SLAB_BYTES)]
  for (const memory of memories) table.addHeaders(memory)
  t.is(table.capacity, 512)
  for (const [id, slab, base] of [
    [0, 0, 0],
    [1, 0, 64],
    [255, 0, 16_320],
    [256, 1, 0],
    [511, 1, 16_320],
  ] as const) {
    t.is(memories.indexOf(table.wordsOf(id).buffer as SharedArrayBuffer), slab)
    t.is(table.baseOf(id), base)
  }
  t.throws(() => table.wordsOf(512), { message: /lane 512 was never announced/ })
})

test('taking an armed word disarms it, once', (t) => {
  const words = new Int32Array(new SharedArrayBuffer(256))
  t.false(takeArmed(words, lane.OUT_NOTIFY))
  words[32] = 1
  t.true(takeArmed(words, lane.OUT_NOTIFY))
  t.is(words[32], 0)
  t.false(takeArmed(words, lane.OUT_NOTIFY))
})

test('regions have sizes that are powers of two, each larger than the one before', (t) => {
  for (const [i, size] of regionBytes.entries()) {
    t.is(size & (size - 1), 0)
    t.true(size > (regionBytes[i - 1] ?? 0))
    t.true(size <= 2 ** 30, 'a difference of positions must not reach the sign bit')
  }
})

test('the region for a number of bytes is the smallest that holds them', (t) => {
  t.is(regionSizeFor(0), 4096)
  t.is(regionSizeFor(4096), 4096)
  t.is(regionSizeFor(4097), 8192)
  t.is(regionSizeFor(8_388_608), 8_388_608)
  t.is(regionSizeFor(8_388_609), 8_388_608, 'the largest there is')
})

test('every region of every slab has an id and a place of its own', (t) => {
  for (const slab of [1, 7, MAX_SLAB_ID]) {
    for (const unit of [0, 1, UNITS_PER_SLAB - 1]) {
      for (const size of regionBytes) {
        const id = regionIdOf(slab, unit, orderFor(size))
        t.true(id > 0, 'a lane word has a sign, and 0 means none')
        t.is(id, id | 0)
        t.deepEqual([slabOfRegion(id), unitOfRegion(id), sizeOfRegion(id)], [slab, unit, size])
      }
    }
  }
  t.is(regionIdOf(7, 3, 1), (7 << 15) | (3 << 4) | 1)
  t.is(Math.max(...regionBytes), SLAB_BYTES, 'the largest region fills a slab')
  const table = new SlabTable()
  const slab = table.add({ id: 7, memory: new SharedArrayBuffer(4 * 4096) })
  t.is(table.slabOf(regionIdOf(7, 0, 0)), slab)
  t.is(table.slabOf(regionIdOf(7, 3, 0)), slab)
  t.is(regionOffset(regionIdOf(7, 0, 0)), 0)
  t.is(regionOffset(regionIdOf(7, 3, 0)), 3 * 4096)
  t.throws(() => table.slabOf(regionIdOf(6, 0, 0)), { message: /region \d+ was never announced/ })
  t.is(table.remove(7), slab)
  t.is(table.remove(7), undefined)
  t.throws(() => table.slabOf(regionIdOf(7, 0, 0)))
})

test('a slab has one set of views over its memory', (t) => {
  const memory = new SharedArrayBuffer(8192)
  const slab = new SlabTable().add({ id: 1, memory })
  t.true(Buffer.isBuffer(slab.bytes))
  t.is(slab.bytes.length, 8192)
  slab.bytes[5000] = 9
  t.is(slab.view.getUint8(5000), 9)
  t.is(new Uint8Array(memory)[5000], 9)
})

test('a bell is one line for PARKED and TOP, 32 summary words and 1,024 leaf words', (t) => {
  t.is(MAX_LANES, 32_768)
  t.is(bell.PARKED, 0)
  t.is(bell.TOP, 1)
  t.is(bell.SUMMARY, 16)
  t.is(bell.LEAVES, 48)
  t.is(createBellMemory().byteLength, (48 + 1024) * 4)
})

const bellPlaces = [
  { id: 0, leaf: 48, leafBit: 0, summary: 16, summaryBit: 0 },
  { id: 31, leaf: 48, leafBit: 31, summary: 16, summaryBit: 0 },
  { id: 32, leaf: 49, leafBit: 0, summary: 16, summaryBit: 1 },
  { id: 1023, leaf: 79, leafBit: 31, summary: 16, summaryBit: 31 },
  { id: 1024, leaf: 80, leafBit: 0, summary: 17, summaryBit: 0 },
  { id: 32_767, leaf: 1071, leafBit: 31, summary: 47, summaryBit: 31 },
] as const

for (const { id, leaf, leafBit, summary, summaryBit } of bellPlaces) {
  test(`the bell of lane ${String(id)} lies in word ${String(leaf)}, its summary in word ${String(summary)}`, (t) => {
    const memory = createBellMemory()
    const words = new Int32Array(memory)
    new BellNotifier(memory, () => undefined).notify(id)
    t.deepEqual(changedWords(words, new Int32Array(words.length)), [
      [1, 1 << (summary - 16)],
      [summary, 1 << summaryBit],
      [leaf, 1 << leafBit],
    ])
  })

  test(`the listener finds lane ${String(id)} by bits written into memory`, (t) => {
    const memory = createBellMemory()
    const words = new Int32Array(memory)
    words[leaf] = 1 << leafBit
    words[summary] = 1 << summaryBit
    words[1] = 1 << (summary - 16)
    const visited: number[] = []
    new BellListener(memory).take((laneId) => visited.push(laneId))
    t.deepEqual(visited, [id])
    t.true(words.every((word) => word === 0))
  })
}

test('parking is word 0 of the bell', (t) => {
  const memory = createBellMemory()
  const words = new Int32Array(memory)
  const listener = new BellListener(memory)
  t.true(listener.park())
  t.is(words[0], 1)
  listener.unpark()
  t.is(words[0], 0)
  let wakes = 0
  words[0] = 1
  new BellNotifier(memory, () => wakes++).notify(5)
  t.is(wakes, 1)
  t.is(words[0], 0)
})

test('any two lanes have bells of their own', (t) => {
  holds(
    t,
    fc.property(fc.integer({ min: 0, max: MAX_LANES - 1 }), fc.integer({ min: 0, max: MAX_LANES - 1 }), (a, b) => {
      const memory = createBellMemory()
      const notifier = new BellNotifier(memory, () => undefined)
      notifier.notify(a)
      notifier.notify(b)
      const visited: number[] = []
      new BellListener(memory).take((laneId) => visited.push(laneId))
      return visited.length === new Set([a, b]).size && visited.includes(a) && visited.includes(b)
    }),
  )
})
