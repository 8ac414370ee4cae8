/** Those who wait for the same thing. */
import test from 'ava'
import { systemClock } from '../../../engine/protocol/clock.js'
import { abortedBefore, WaiterSet } from '../../../engine/protocol/waiter.js'
import { ManualClock } from '../../helpers/manual-clock.js'

test('all who wait are served at once', async (t) => {
  const waiters = new WaiterSet<number>('waiting', 'memory:x', systemClock)
  const all = [waiters.wait({}), waiters.wait({}), waiters.wait({})]
  t.is(waiters.size, 3)
  waiters.resolveAll(2)
  t.is(waiters.size, 0)
  t.deepEqual(await Promise.all(all), [2, 2, 2])
})

test('one error is for all who wait', async (t) => {
  const waiters = new WaiterSet<number>('waiting', 'memory:x', systemClock)
  const all = [waiters.wait({}), waiters.wait({})]
  waiters.rejectAll(new Error('over'))
  t.is(waiters.size, 0)
  for (const each of all) await t.throwsAsync(each, { message: 'over' })
})

test('who gives up leaves the set; who has given up before never joins it', async (t) => {
  const clock = new ManualClock(() => true)
  const waiters = new WaiterSet<number>('waiting for nothing', 'memory:x', clock)
  const abort = new AbortController()
  const { signal } = abort
  const aborted = waiters.wait({ signal })
  const late = waiters.wait({ timeoutMs: 10 })
  t.is(waiters.size, 2)
  t.is(abortedBefore('waiting', 'memory:x', { signal }), undefined)
  abort.abort('enough')
  await t.throwsAsync(aborted, { code: 'ERR_ABORTED', message: /waiting for nothing/ })
  t.is(waiters.size, 1)
  clock.advance(10)
  await t.throwsAsync(late, { code: 'ERR_TIMEOUT' })
  t.is(waiters.size, 0)
  await t.throwsAsync(waiters.wait({ signal }), { code: 'ERR_ABORTED' })
  t.is(waiters.size, 0)
  t.is(abortedBefore('waiting', 'memory:x', { signal })?.cause, 'enough')
})
