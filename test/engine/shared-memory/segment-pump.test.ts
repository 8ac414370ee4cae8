/** Every check of what a peer may have written: at the limit it is taken, one beyond it ends the connection. */
import test, { type ExecutionContext } from 'ava'
import { inState, lane } from '../../../engine/protocol/ring-layout.js'
import { word } from '../../../engine/shared-memory/segment-layout.js'
import { FIRST_RING, PumpFixture, sizeOf, sizes } from '../../helpers/segment-pump-fixture.js'

const CAPACITY = sizeOf(FIRST_RING)
const LARGER = FIRST_RING + 1
const LARGER_CAPACITY = sizeOf(LARGER)
/** Positions at which all is tried: ordinary, and around the two places where 32 bits run over. */
const origins = [0, 5_000, 2 ** 31 - 100, 2 ** 32 - 100] as const
/** Distances that no position can be at, whatever was read. */
const impossible = [2 ** 31 - 1, 2 ** 31, 2 ** 30, 3 * 2 ** 30, -1] as const

function* stepsTo(position: number): Generator<number> {
  for (let at = 0; at < position;) {
    at = Math.min(at + CAPACITY, position)
    yield at | 0
  }
}

/** The peer has published up to here, and main has read it. */
function readUpTo(position: number): PumpFixture {
  const fixture = new PumpFixture()
  for (const at of stepsTo(position)) {
    fixture.setIn(word.TAIL, at)
    fixture.pump.pull()
    fixture.lay(lane.IN_HEAD, at)
    fixture.pump.released()
  }
  return fixture
}

/** Main has published up to here, and the peer has read it. */
function sentUpTo(position: number): PumpFixture {
  const fixture = new PumpFixture()
  for (const at of stepsTo(position)) {
    fixture.publish(at)
    fixture.setOut(word.HEAD, at)
    fixture.pump.fetchHead()
  }
  return fixture
}

/** `taken`: the word of the lane that shows it, and what it shows then. */
function takes(t: ExecutionContext, fixture: PumpFixture, taken: readonly [at: number, value: number]): void {
  fixture.pump.pull()
  t.false(fixture.isClosed)
  t.is(fixture.of(taken[0]), taken[1])
  t.true(fixture.isAlone)
}

/** Nothing of it reaches the lane, and the connection is over. */
function refuses(t: ExecutionContext, fixture: PumpFixture, untouched: number, message?: string): void {
  const before = fixture.of(untouched)
  fixture.calls = []
  fixture.pump.pull()
  t.true(fixture.isBroken, message)
  t.is(fixture.of(untouched), before, message)
  t.deepEqual(fixture.calls, ['close', 'revisit'], message)
  t.true(fixture.isAlone, message)
  t.false(fixture.pump.hasNews, message)
}

for (const origin of origins) {
  const at = (distance: number): number => (origin + distance) | 0

  test(`TAIL from ${String(origin)}: a ring full is taken, and not a byte more`, (t) => {
    const full = readUpTo(origin)
    full.setIn(word.TAIL, at(CAPACITY))
    takes(t, full, [lane.IN_TAIL, at(CAPACITY)])
    full.setIn(word.TAIL, at(CAPACITY + 1))
    refuses(t, full, lane.IN_TAIL)

    const beyond = readUpTo(origin)
    beyond.setIn(word.TAIL, at(CAPACITY + 1))
    refuses(t, beyond, lane.IN_TAIL)
  })

  test(`TAIL from ${String(origin)}: it never goes back, nor anywhere else`, (t) => {
    for (const distance of impossible) {
      const fixture = readUpTo(origin)
      fixture.setIn(word.TAIL, at(distance))
      refuses(t, fixture, lane.IN_TAIL, String(distance))
    }
    // Not from what is unread either: ahead of the last TAIL, and so far that it is behind HEAD.
    for (const distance of [9, 9 + 2 ** 31]) {
      const fixture = readUpTo(origin)
      fixture.setIn(word.TAIL, at(10))
      takes(t, fixture, [lane.IN_TAIL, at(10)])
      fixture.setIn(word.TAIL, at(distance))
      refuses(t, fixture, lane.IN_TAIL, String(distance))
    }
  })

  test(`TAIL from ${String(origin)}: what main has given back is room, whatever HEAD in the segment says`, (t) => {
    const fixture = readUpTo(origin)
    fixture.setIn(word.TAIL, at(CAPACITY))
    fixture.pump.pull()
    fixture.lay(lane.IN_HEAD, at(100))
    fixture.pump.released()
    fixture.setIn(word.HEAD, at(5_000))
    fixture.setIn(word.TAIL, at(CAPACITY + 100))
    takes(t, fixture, [lane.IN_TAIL, at(CAPACITY + 100)])
    fixture.setIn(word.TAIL, at(CAPACITY + 101))
    refuses(t, fixture, lane.IN_TAIL)
  })

  test(`HEAD from ${String(origin)}: all that was published is taken, and not a byte more`, (t) => {
    const fixture = sentUpTo(origin)
    fixture.publish(at(1_000))
    fixture.setOut(word.HEAD, at(1_000))
    takes(t, fixture, [lane.OUT_HEAD, at(1_000)])
    fixture.setOut(word.HEAD, at(1_001))
    refuses(t, fixture, lane.OUT_HEAD)

    // What main has written and not published does not count, nor does TAIL in the segment.
    const unpublished = sentUpTo(origin)
    unpublished.lay(lane.OUT_TAIL, at(1_000))
    unpublished.setOut(word.TAIL, at(1_000))
    unpublished.setOut(word.HEAD, at(1))
    refuses(t, unpublished, lane.OUT_HEAD)
  })

  test(`HEAD from ${String(origin)}: it never goes back, nor anywhere else`, (t) => {
    for (const distance of impossible) {
      const fixture = sentUpTo(origin)
      fixture.publish(at(1_000))
      fixture.setOut(word.HEAD, at(distance))
      refuses(t, fixture, lane.OUT_HEAD, String(distance))
    }
  })

  test(`SWITCH_AT from ${String(origin)}: from the last TAIL up to a ring full`, (t) => {
    for (const distance of [10, CAPACITY]) {
      const fixture = readUpTo(origin)
      fixture.setIn(word.TAIL, at(10))
      fixture.pump.pull()
      fixture.setIn(word.SWITCH_AT, at(distance))
      fixture.setIn(word.RING, LARGER)
      fixture.setIn(word.TAIL, at(distance + 1))
      takes(t, fixture, [lane.IN_TAIL, at(distance + 1)])
      t.is(fixture.of(lane.IN_SWITCH_AT), at(distance))
      t.is(fixture.of(lane.IN_REGION), fixture.region(LARGER))
    }
    for (const distance of [9, CAPACITY + 1, 2 ** 31, 2 ** 31 - 1, 3 * 2 ** 30]) {
      const fixture = readUpTo(origin)
      fixture.setIn(word.TAIL, at(10))
      fixture.pump.pull()
      fixture.setIn(word.SWITCH_AT, at(distance))
      fixture.setIn(word.RING, LARGER)
      fixture.setIn(word.TAIL, at(distance + 1))
      refuses(t, fixture, lane.IN_REGION, String(distance))
      t.is(fixture.of(lane.IN_TAIL), at(10))
    }
  })

  test(`TAIL behind a change at ${String(origin)}: the larger ring full is taken, and not a byte more`, (t) => {
    for (const [tail, isTaken] of [
      [LARGER_CAPACITY, true],
      [LARGER_CAPACITY + 1, false],
      [2 ** 31, false],
      [-1, false],
    ] as const) {
      const fixture = readUpTo(origin)
      fixture.setIn(word.SWITCH_AT, at(0))
      fixture.setIn(word.RING, LARGER)
      fixture.setIn(word.TAIL, at(tail))
      if (isTaken) takes(t, fixture, [lane.IN_TAIL, at(tail)])
      else refuses(t, fixture, lane.IN_TAIL, String(tail))
    }
  })
}

test('RING: no smaller one, none that the segment has not, and nothing that is no number of a ring', (t) => {
  for (const ring of [FIRST_RING - 1, 0, -1, -(2 ** 31), sizes.length, 255, 256 + LARGER, 2 ** 31 - 1]) {
    const fixture = readUpTo(100)
    fixture.setIn(word.SWITCH_AT, 100)
    fixture.setIn(word.RING, ring)
    refuses(t, fixture, lane.IN_REGION, String(ring))
  }
})

test('RING: any larger one of the segment', (t) => {
  for (let ring = 2; ring < sizes.length; ring++) {
    const fixture = new PumpFixture(1)
    fixture.setIn(word.RING, ring)
    fixture.setIn(word.TAIL, sizeOf(ring))
    takes(t, fixture, [lane.IN_REGION, fixture.region(ring)])
    fixture.setIn(word.TAIL, sizeOf(ring) + 1)
    refuses(t, fixture, lane.IN_TAIL)
  }
})

test('RING: no further one before the reader has left the one before', (t) => {
  const change = (): PumpFixture => {
    const fixture = new PumpFixture(1)
    fixture.setIn(word.RING, 2)
    fixture.setIn(word.TAIL, 10)
    fixture.pump.pull()
    fixture.setIn(word.SWITCH_AT, 10)
    fixture.setIn(word.RING, 3)
    return fixture
  }
  // What the peer writes into RING_ACK counts for nothing.
  const early = change()
  early.setIn(word.RING_ACK, 2)
  refuses(t, early, lane.IN_REGION)

  const settled = change()
  settled.followed()
  settled.pump.leaveRing()
  t.is(settled.getIn(word.RING_ACK), 2)
  takes(t, settled, [lane.IN_REGION, settled.region(3)])

  const back = change()
  back.followed()
  back.setIn(word.RING, 1)
  refuses(t, back, lane.IN_REGION)
})

test('RING: a change for which there is no region ends the connection', (t) => {
  const fixture = readUpTo(0)
  fixture.isFull = true
  fixture.setIn(word.RING, LARGER)
  refuses(t, fixture, lane.IN_REGION)
})

test('SWITCH_AT counts once for each change', (t) => {
  const fixture = readUpTo(100)
  fixture.setIn(word.SWITCH_AT, 100)
  fixture.setIn(word.RING, LARGER)
  takes(t, fixture, [lane.IN_SWITCH_AT, 100])
  for (const switchAt of [0, 101, -1]) {
    fixture.setIn(word.SWITCH_AT, switchAt)
    takes(t, fixture, [lane.IN_SWITCH_AT, 100])
  }
})

test('a TAIL that was loaded before a change of rings is taken as one of the ring before', (t) => {
  const fixture = readUpTo(100)
  // The peer has published up to 150, then 200, and changed there: 150 is what was seen of it.
  fixture.setIn(word.TAIL, 150)
  fixture.setIn(word.SWITCH_AT, 200)
  fixture.setIn(word.RING, LARGER)
  takes(t, fixture, [lane.IN_TAIL, 150])
  t.is(fixture.of(lane.IN_SWITCH_AT), 200)
})

test('RING_ACK: only the number of the ring that is written to is an acknowledgement', (t) => {
  const fixture = sentUpTo(0)
  fixture.setOut(word.RING_ACK, LARGER)
  takes(t, fixture, [lane.OUT_REGION_ACK, fixture.region(FIRST_RING)])
  fixture.setOut(word.RING_ACK, FIRST_RING)
  fixture.switchTo(LARGER, 0)
  // Nothing of the change shows before it is published.
  takes(t, fixture, [lane.OUT_REGION_ACK, fixture.region(FIRST_RING)])
  fixture.publish(10)
  t.is(fixture.getOut(word.RING), LARGER)
  for (const ack of [FIRST_RING, 0, -1, 255, 2 ** 31 - 1]) {
    fixture.setOut(word.RING_ACK, ack)
    takes(t, fixture, [lane.OUT_REGION_ACK, fixture.region(FIRST_RING)])
  }
  fixture.setOut(word.RING_ACK, LARGER)
  takes(t, fixture, [lane.OUT_REGION_ACK, fixture.region(LARGER)])
  // It is not asked again.
  fixture.setOut(word.RING_ACK, 0)
  takes(t, fixture, [lane.OUT_REGION_ACK, fixture.region(LARGER)])
})

test('STATE: 1 is the end, and anything else is not', (t) => {
  const fixture = readUpTo(0)
  for (const state of [0, 2, -1, 255, 2 ** 31 - 1, -(2 ** 31)]) {
    fixture.setIn(word.STATE, state)
    takes(t, fixture, [lane.IN_STATE, inState.OPEN])
    t.false(fixture.pump.hasNews)
  }
  fixture.setIn(word.STATE, 1)
  t.true(fixture.pump.hasNews)
  takes(t, fixture, [lane.IN_STATE, inState.ENDED])
  t.false(fixture.pump.hasNews)
})
