/** A frame that takes too long, and one that does not. */
import test from 'ava'
import { FrameDeadline } from '../../../engine/protocol/frame-deadline.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { turns } from '../../helpers/turns.js'

const TIMEOUT_MS = 100

function deadlineOf(look?: () => void): { clock: ManualClock; deadline: FrameDeadline; expired: () => number } {
  const clock = new ManualClock(() => true)
  let expired = 0
  const deadline = new FrameDeadline(TIMEOUT_MS, clock, () => (expired += 1), look)
  return { clock, deadline, expired: () => expired }
}

test('a deadline expires once, a turn after its time is over', async (t) => {
  const { clock, deadline, expired } = deadlineOf()
  deadline.start()
  clock.advance(TIMEOUT_MS - 1)
  deadline.start()
  await turns(2)
  t.is(expired(), 0)
  clock.advance(1)
  t.is(expired(), 0)
  await turns(2)
  t.is(expired(), 1)
  t.deepEqual(clock.armed, [])
})

test('a pause keeps what is left, an end does not', (t) => {
  const { clock, deadline } = deadlineOf()
  deadline.start()
  clock.advance(30)
  deadline.pause()
  deadline.pause()
  t.deepEqual(clock.armed, [])
  clock.advance(1000)
  deadline.start()
  t.deepEqual(clock.armed, [70])
  clock.advance(20)
  deadline.pause()
  deadline.start()
  t.deepEqual(clock.armed, [50])
  deadline.end()
  deadline.start()
  t.deepEqual(clock.armed, [TIMEOUT_MS])
  deadline.pause()
  deadline.end()
  deadline.start()
  t.deepEqual(clock.armed, [TIMEOUT_MS])
})

for (const ends of ['end', 'pause'] as const) {
  test(`what arrives in the turn between can still ${ends} it`, async (t) => {
    const { clock, deadline, expired } = deadlineOf()
    deadline.start()
    clock.advance(TIMEOUT_MS)
    deadline[ends]()
    await turns(2)
    t.is(expired(), 0)
    deadline.start()
    t.deepEqual(clock.armed, [ends === 'pause' ? 0 : TIMEOUT_MS])
  })

  test(`the last look can ${ends} it`, async (t) => {
    const { clock, deadline, expired } = deadlineOf(() => {
      deadline[ends]()
    })
    deadline.start()
    clock.advance(TIMEOUT_MS)
    await turns(2)
    t.is(expired(), 0)
  })
}

test('a frame that begins while another one is found late has all of the time', async (t) => {
  const { clock, deadline, expired } = deadlineOf(() => {
    deadline.end()
    deadline.start()
  })
  deadline.start()
  clock.advance(TIMEOUT_MS)
  await turns(2)
  t.is(expired(), 0)
  t.deepEqual(clock.armed, [TIMEOUT_MS])
})
