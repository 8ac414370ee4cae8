import test, { type ExecutionContext } from 'ava'
import { FrameDeadline } from '../../../engine/protocol/frame-deadline.js'
import { FakeClock } from '../../helpers/fake-clock.js'

const TIMEOUT_MS = 100

function setup(look?: (deadline: FrameDeadline) => void): {
  readonly clock: FakeClock
  readonly deadline: FrameDeadline
  readonly expired: (t: ExecutionContext, times: number) => Promise<void>
} {
  const clock = new FakeClock()
  let times = 0
  const onExpired = (): void => {
    times++
  }
  const deadline: FrameDeadline = new FrameDeadline(TIMEOUT_MS, clock, onExpired, () => look?.(deadline))
  return {
    clock,
    deadline,
    expired: async (t, expected) => {
      await clock.turn()
      t.is(times, expected)
    },
  }
}

test('a deadline expires once, a turn after its time, and keeps no process alive', async (t) => {
  const { clock, deadline, expired } = setup()
  deadline.start()
  deadline.start()
  t.deepEqual([clock.armed, clock.keepingAlive], [1, 0])
  clock.advance(TIMEOUT_MS - 1)
  await expired(t, 0)
  clock.advance(1)
  await expired(t, 1)
  clock.advance(TIMEOUT_MS)
  await expired(t, 1)
})

test('a deadline that is paused goes on with what is left, and one that has ended begins anew', async (t) => {
  const { clock, deadline, expired } = setup()
  deadline.start()
  clock.advance(60)
  deadline.pause()
  deadline.pause()
  clock.advance(TIMEOUT_MS)
  await expired(t, 0)
  deadline.start()
  deadline.end()
  deadline.start()
  t.deepEqual(clock.asked, [TIMEOUT_MS, 40, TIMEOUT_MS])
})

test('one that ends between its time and the next turn does not expire', async (t) => {
  const { clock, deadline, expired } = setup()
  deadline.start()
  clock.advance(TIMEOUT_MS)
  deadline.end()
  deadline.start()
  await expired(t, 0)
  t.is(clock.armed, 1)
})

test('what has arrived by then is looked at first, and may end it', async (t) => {
  const { clock, deadline, expired } = setup((running) => running.end())
  deadline.start()
  clock.advance(TIMEOUT_MS)
  await expired(t, 0)
})
