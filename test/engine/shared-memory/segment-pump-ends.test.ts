/** How the segment pump wakes its peer, and how it ends. */
import test from 'ava'
import { inState, intent, lane, outState } from '../../../engine/protocol/ring-layout.js'
import { systemErrno } from '../../../engine/protocol/system-errno.js'
import { streamState, word } from '../../../engine/shared-memory/segment-layout.js'
import { FIRST_RING, PumpFixture } from '../../helpers/segment-pump-fixture.js'

const RESET = Math.abs(systemErrno('ECONNRESET'))
const PIPE = Math.abs(systemErrno('EPIPE'))

test('the peer is woken once TAIL has reached NOTIFY_AT, and once for each time that it asks', (t) => {
  const fixture = new PumpFixture()
  fixture.publish(10)
  t.deepEqual(fixture.calls, [])
  fixture.setOut(word.NOTIFY_AT, 20)
  fixture.setOut(word.NOTIFY, 1)
  fixture.publish(19)
  t.deepEqual(fixture.calls, [])
  fixture.publish(20)
  t.deepEqual(fixture.calls, ['wake'])
  t.is(fixture.getOut(word.NOTIFY), 0)
  fixture.publish(30)
  t.deepEqual(fixture.calls, ['wake'])
})

test('whatever lies in NOTIFY and SPACE, at most one byte is written for each step', (t) => {
  for (const value of [-1, 2, 255, 2 ** 31 - 1, -(2 ** 31)]) {
    const fixture = new PumpFixture()
    for (const at of [0, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      fixture.setOut(word.NOTIFY, value)
      fixture.setOut(word.NOTIFY_AT, at)
      fixture.setIn(word.SPACE, value)
      fixture.setIn(word.SPACE_AT, at)
      fixture.calls = []
      fixture.publish(fixture.of(lane.OUT_TAIL) + 10)
      t.true(fixture.calls.length <= 1)
      fixture.setIn(word.TAIL, fixture.getIn(word.TAIL) + 10)
      fixture.pump.pull()
      fixture.lay(lane.IN_HEAD, fixture.of(lane.IN_TAIL))
      fixture.calls = []
      fixture.pump.released()
      t.true(fixture.calls.length <= 1)
    }
    t.false(fixture.isClosed)
  }
})

test('the peer is woken once HEAD has reached SPACE_AT', (t) => {
  const fixture = new PumpFixture()
  fixture.setIn(word.TAIL, 100)
  fixture.pump.pull()
  fixture.setIn(word.SPACE_AT, 50)
  fixture.setIn(word.SPACE, 1)
  for (const [head, calls] of [
    [49, []],
    [50, ['wake']],
    [100, ['wake']],
  ] as const) {
    fixture.lay(lane.IN_HEAD, head)
    fixture.pump.released()
    t.is(fixture.getIn(word.HEAD), head)
    t.deepEqual(fixture.calls, calls)
  }
  t.is(fixture.getIn(word.SPACE), 0)
})

test('a reader that waits arms NOTIFY, and takes that back if enough is there by then', (t) => {
  const fixture = new PumpFixture()
  fixture.lay(lane.IN_NOTIFY_AT, 10)
  fixture.pump.awaitBytes()
  t.deepEqual([fixture.getIn(word.NOTIFY), fixture.getIn(word.NOTIFY_AT)], [1, 10])
  fixture.setIn(word.TAIL, 9)
  fixture.pump.awaitBytes()
  t.deepEqual([fixture.of(lane.IN_TAIL), fixture.getIn(word.NOTIFY)], [9, 1])
  fixture.setIn(word.TAIL, 10)
  fixture.pump.awaitBytes()
  t.deepEqual([fixture.of(lane.IN_TAIL), fixture.getIn(word.NOTIFY)], [10, 0])
})

test('main that polls asks for no byte, and asks for one before it sleeps', (t) => {
  const fixture = new PumpFixture()
  fixture.setIn(word.NOTIFY, 1)
  fixture.pump.startPolling()
  t.is(fixture.getIn(word.NOTIFY), 0)
  fixture.lay(lane.IN_NOTIFY, 1)
  fixture.lay(lane.IN_NOTIFY_AT, 10)
  fixture.setIn(word.TAIL, 5)
  fixture.pump.awaitBytes()
  t.deepEqual([fixture.of(lane.IN_TAIL), fixture.getIn(word.NOTIFY)], [5, 0])
  fixture.setIn(word.TAIL, 10)
  t.false(fixture.pump.stopPolling(), 'there is news')
  t.is(fixture.getIn(word.NOTIFY), 0)
  fixture.pump.pull()
  t.true(fixture.pump.stopPolling())
  t.deepEqual([fixture.getIn(word.NOTIFY), fixture.getIn(word.NOTIFY_AT)], [1, 10])
})

test('main that polls and waits for no byte sleeps without asking', (t) => {
  const fixture = new PumpFixture()
  fixture.pump.startPolling()
  t.true(fixture.pump.stopPolling())
  t.is(fixture.getIn(word.NOTIFY), 0)
})

test('both directions end: the end is behind the last TAIL, the peer is woken, and the lane closes without failure', (t) => {
  const fixture = new PumpFixture()
  fixture.lay(lane.OUT_TAIL, 10)
  fixture.lay(lane.OUT_INTENT, intent.END)
  fixture.pump.onNotify()
  t.deepEqual([fixture.getOut(word.TAIL), fixture.getOut(word.STATE)], [10, streamState.ENDED])
  t.is(fixture.of(lane.OUT_STATE), outState.ENDED)
  t.deepEqual(fixture.calls, ['wake', 'revisit'])
  t.false(fixture.isClosed)
  fixture.setIn(word.TAIL, 7)
  fixture.setIn(word.STATE, 1)
  fixture.pump.pull()
  t.deepEqual([fixture.of(lane.IN_TAIL), fixture.of(lane.IN_STATE)], [7, inState.ENDED])
  t.deepEqual([fixture.isClosed, fixture.of(lane.FAILURE)], [true, 0])
})

test('main destroys the connection: the peer is told an end only if all that it has sent was read', (t) => {
  for (const [sent, told] of [
    [0, streamState.ENDED],
    [7, streamState.OPEN],
  ] as const) {
    const fixture = new PumpFixture()
    fixture.lay(lane.OUT_TAIL, 10)
    fixture.setIn(word.TAIL, sent)
    fixture.lay(lane.OUT_INTENT, intent.DESTROY)
    fixture.pump.onNotify()
    t.deepEqual([fixture.isClosed, fixture.of(lane.FAILURE), fixture.getOut(word.STATE)], [true, 0, told])
    t.deepEqual([fixture.getOut(word.TAIL), fixture.calls], [0, ['close', 'revisit']])
  }
})

test('the socket ends before the peer has ended: a reset, after what it has published', (t) => {
  const fixture = new PumpFixture()
  fixture.setIn(word.TAIL, 10)
  fixture.pump.onSocketEnd()
  t.deepEqual([fixture.isClosed, fixture.of(lane.FAILURE), fixture.of(lane.IN_TAIL)], [true, RESET, 10])
})

test('the socket ends, and the peer has not read all: a reset', (t) => {
  const fixture = new PumpFixture()
  fixture.publish(10)
  fixture.setOut(word.HEAD, 9)
  fixture.setIn(word.STATE, 1)
  fixture.pump.onSocketEnd()
  t.deepEqual([fixture.isClosed, fixture.of(lane.FAILURE), fixture.of(lane.IN_STATE)], [true, RESET, inState.ENDED])
})

test('the socket ends after the peer has ended and has read all: what is sent then fails', (t) => {
  const fixture = new PumpFixture()
  fixture.publish(10)
  fixture.setOut(word.HEAD, 10)
  fixture.setIn(word.STATE, 1)
  fixture.pump.onSocketEnd()
  t.false(fixture.isClosed)
  fixture.publish(20)
  t.is(fixture.of(lane.OUT_STATE), outState.FAILED)
  t.deepEqual([fixture.isClosed, fixture.of(lane.FAILURE)], [true, PIPE])
  t.is(fixture.getOut(word.TAIL), 10, 'nothing is published to nobody')
})

test('the socket ends after the peer has ended and has read all: main ends too, without failure', (t) => {
  const fixture = new PumpFixture()
  fixture.setIn(word.STATE, 1)
  fixture.pump.onSocketEnd()
  fixture.lay(lane.OUT_INTENT, intent.CLOSE)
  fixture.pump.onNotify()
  t.deepEqual([fixture.isClosed, fixture.of(lane.FAILURE)], [true, 0])
})

test('the socket ends, and what cannot be lies in the segment: that is told', (t) => {
  const fixture = new PumpFixture()
  fixture.setIn(word.TAIL, -1)
  fixture.setIn(word.STATE, 1)
  fixture.pump.onSocketEnd()
  t.true(fixture.isBroken)
})

test('nothing is stored any more once the lane is closed', (t) => {
  const fixture = new PumpFixture()
  fixture.setIn(word.TAIL, 10)
  fixture.pump.onSocketEnd()
  fixture.calls = []
  const words = fixture.words.slice()
  fixture.setIn(word.TAIL, 20)
  fixture.setIn(word.STATE, 1)
  fixture.setIn(word.RING, FIRST_RING + 1)
  fixture.setOut(word.HEAD, 5)
  fixture.setOut(word.NOTIFY, 1)
  fixture.pump.pull()
  fixture.pump.onSocketEnd()
  fixture.pump.awaitBytes()
  fixture.pump.awaitRoom()
  fixture.pump.fetchHead()
  fixture.pump.released()
  fixture.pump.onNotify()
  t.false(fixture.pump.hasNews)
  t.true(fixture.pump.stopPolling())
  t.deepEqual(fixture.words, words)
  t.deepEqual([fixture.getIn(word.NOTIFY), fixture.getOut(word.SPACE), fixture.getOut(word.NOTIFY)], [0, 0, 1])
  t.deepEqual(fixture.calls, [])
})
