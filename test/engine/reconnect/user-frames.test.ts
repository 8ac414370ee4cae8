/** Which of the frames that a connection tells of are the user's. */
import test from 'ava'
import { UserFrames } from '../../../engine/reconnect/user-frames.js'

const frames = (...names: string[]): Buffer[] => names.map((name) => Buffer.from(name))

test('frames that are lost come between those handed over and the rest, and greetings and pings among them do not count', (t) => {
  const own = new UserFrames(2)
  // Places: two greetings, a, ping, b, ping, c.
  own.pingAt(3)
  own.pingAt(5)
  const report = { handedOver: 1, retained: [], unconfirmed: frames('b', 'ping'), unsent: frames('c'), lost: 3 }
  const { handedOver, unconfirmed, unsent, lost } = own.of(report)
  t.deepEqual([handedOver, lost], [0, 1])
  t.deepEqual(unconfirmed.map(String), ['b'])
  t.deepEqual(unsent.map(String), ['c'])
  t.is(own.of({ handedOver: 0, retained: [], unconfirmed: [], unsent: [], lost: 7 }).lost, 3)
})
