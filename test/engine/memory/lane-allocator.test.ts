import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import {
  lane,
  LANE_WORDS,
  LANES_PER_HEADER_SLAB,
  MAX_LANES,
  sizeOfRegion,
} from '../../../engine/protocol/ring-layout.js'
import { FakeAnnouncer } from '../../helpers/fake-announcer.js'
import { createLanes, createRegions } from '../../helpers/fresh-memory.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'

class Fixture {
  readonly headers: SharedArrayBuffer[] = []
  readonly regions = createRegions(new FakeAnnouncer())
  readonly lanes = createLanes(this.regions, (memory) => this.headers.push(memory))

  /** The lane's words, as a copy. */
  words(laneId: number): Int32Array {
    const base = this.lanes.table.baseOf(laneId)
    return this.lanes.table.wordsOf(laneId).slice(base, base + LANE_WORDS)
  }

  poke(laneId: number, word: number, value: number): void {
    this.lanes.table.wordsOf(laneId)[this.lanes.table.baseOf(laneId) + word] = value
  }
}

test('a lane has two regions, and both of its NOTIFY words are armed', (t) => {
  const fixture = new Fixture()
  const grant = fixture.lanes.take(4096)
  t.deepEqual(grant, { id: 0, generation: 1 })
  t.is(fixture.lanes.inUse, 1)
  t.is(fixture.regions.regionsInUse, 2)
  const words = fixture.words(0)
  const out = words[lane.OUT_REGION] ?? 0
  const incoming = words[lane.IN_REGION] ?? 0
  t.not(out, incoming)
  t.is(sizeOfRegion(out), 4096)
  t.is(sizeOfRegion(incoming), 4096)
  const expected = new Int32Array(LANE_WORDS)
  expected[lane.GENERATION] = 1
  expected[lane.OUT_REGION] = out
  expected[lane.OUT_REGION_ACK] = out
  expected[lane.IN_REGION] = incoming
  expected[lane.IN_REGION_ACK] = incoming
  expected[lane.IN_GRANT] = incoming
  expected[lane.OUT_NOTIFY] = 1
  expected[lane.IN_NOTIFY] = 1
  t.deepEqual(words, expected)
})

test('a header slab is announced before its first lane is granted, and serves 256 of them', (t) => {
  const fixture = new Fixture()
  t.is(fixture.headers.length, 0)
  const ids = Array.from({ length: LANES_PER_HEADER_SLAB }, () => fixture.lanes.take(4096).id)
  t.is(fixture.headers.length, 1)
  t.is(new Set(ids).size, 256)
  t.is(fixture.lanes.take(4096).id, 256)
  t.is(fixture.headers.length, 2)
  t.is(fixture.headers.indexOf(fixture.lanes.table.wordsOf(256).buffer as SharedArrayBuffer), 1)
})

test('a lane that was given back is granted again with clean words and a new generation', (t) => {
  const fixture = new Fixture()
  const first = fixture.lanes.take(4096)
  const { OUT_REGION, OUT_REGION_ACK, IN_REGION, IN_REGION_ACK, IN_GRANT, GENERATION } = lane
  const named = new Set<number>([OUT_REGION, OUT_REGION_ACK, IN_REGION, IN_REGION_ACK, IN_GRANT, GENERATION])
  for (let word = 0; word < LANE_WORDS; word++) if (!named.has(word)) fixture.poke(first.id, word, 77)
  fixture.lanes.give(first)
  t.is(fixture.lanes.inUse, 0)
  t.is(fixture.regions.regionsInUse, 0)
  const second = fixture.lanes.take(8192)
  t.is(second.id, first.id)
  t.true(second.generation > first.generation)
  const words = fixture.words(second.id)
  t.is(words[lane.GENERATION], second.generation)
  for (let word = 0; word < LANE_WORDS; word++) t.not(words[word], 77)
})

test('a lane cannot be given back twice', (t) => {
  const fixture = new Fixture()
  const grant = fixture.lanes.take(4096)
  fixture.lanes.give(grant)
  t.throws(() => fixture.lanes.give(grant), { message: /lane 0 was given back twice/ })
  t.is(fixture.lanes.inUse, 0)
})

test('a lane cannot be given back under an earlier generation', (t) => {
  const fixture = new Fixture()
  const former = fixture.lanes.take(4096)
  fixture.lanes.give(former)
  const current = fixture.lanes.take(4096)
  t.is(current.id, former.id)
  t.throws(() => fixture.lanes.give(former), { message: /given back twice/ })
  t.is(fixture.lanes.inUse, 1)
  t.is(fixture.regions.regionsInUse, 2)
  t.notThrows(() => fixture.lanes.give(current))
})

test('a grant has a generation that no earlier grant of the lane had', (t) => {
  const fixture = new Fixture()
  const generations = new Set<number>()
  for (let i = 0; i < 100; i++) {
    const grant = fixture.lanes.take(4096)
    t.is(grant.id, 0)
    generations.add(grant.generation)
    fixture.lanes.give(grant)
  }
  t.is(generations.size, 100)
})

test('regions of changes that were under way are given back with the lane, each once', (t) => {
  const fixture = new Fixture()
  const grant = fixture.lanes.take(4096)
  // Main has changed the out region and the shard has not acknowledged; main has granted a larger in region.
  fixture.poke(grant.id, lane.OUT_REGION, fixture.regions.take(8192))
  fixture.poke(grant.id, lane.IN_GRANT, fixture.regions.take(32_768))
  t.is(fixture.regions.regionsInUse, 4)
  fixture.lanes.give(grant)
  t.is(fixture.regions.regionsInUse, 0)
})

test('an in region that the shard has entered and main has not is given back as well', (t) => {
  const fixture = new Fixture()
  const grant = fixture.lanes.take(4096)
  const grown = fixture.regions.take(8192)
  fixture.poke(grant.id, lane.IN_GRANT, grown)
  fixture.poke(grant.id, lane.IN_REGION, grown)
  fixture.lanes.give(grant)
  t.is(fixture.regions.regionsInUse, 0)
})

test('a shard carries 32,768 lanes and refuses the next one until another is given back', (t) => {
  const fixture = new Fixture()
  const ids = new Set<number>()
  let last = fixture.lanes.take(4096)
  ids.add(last.id)
  while (ids.size < MAX_LANES) {
    last = fixture.lanes.take(4096)
    ids.add(last.id)
  }
  t.is(fixture.lanes.inUse, MAX_LANES)
  t.true([...ids].every((id) => id >= 0 && id < MAX_LANES))
  const error = t.throws(() => fixture.lanes.take(4096), { instanceOf: TransportError })
  t.is(error.code, 'ERR_TOO_MANY_CONNECTIONS')
  t.is(fixture.lanes.inUse, MAX_LANES)
  t.is(fixture.regions.regionsInUse, 2 * MAX_LANES, 'the refused lane has taken nothing')
  fixture.lanes.give(last)
  t.is(fixture.lanes.take(4096).id, last.id)
})

test('a lane whose rings cannot be allocated leaves nothing in use', (t) => {
  const fixture = new Fixture()
  t.throws(() => fixture.lanes.take(5000), { message: /no regions of 5000 bytes/ })
  t.is(fixture.lanes.inUse, 0)
  t.is(fixture.regions.regionsInUse, 0)
})

test.serial('without memory for its regions, or for one of them, a lane is not taken', (t) => {
  const fixture = new Fixture()
  const first = fixture.lanes.take(8_388_608)
  // A slab has room for one of these: the first is there already, the second has to be made.
  const kept = fixture.regions.take(8_388_608)
  fixture.regions.give(kept)
  const before = fixture.words(1)
  withoutMemory(1_048_576, () => t.throws(() => fixture.lanes.take(8_388_608), { instanceOf: RangeError }))
  t.is(fixture.lanes.inUse, 1)
  t.is(fixture.regions.regionsInUse, 2)
  t.deepEqual(fixture.words(1), before)
  t.deepEqual(fixture.lanes.take(8_388_608), { id: 1, generation: 1 })
  fixture.lanes.give(first)

  withoutMemory(1, () => t.throws(() => new Fixture().lanes.take(4096), { instanceOf: RangeError }))
})
