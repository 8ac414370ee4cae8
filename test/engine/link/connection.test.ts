/** A connection against a shard that stores its words in the order that suits a mistake. */
import test from 'ava'
import type { Companion } from '../../../engine/shared/companion.js'
import { intent, lane, life } from '../../../engine/shared/ring-layout.js'
import { LoneConnection } from '../../helpers/lone-connection.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { turns, until } from '../../helpers/turns.js'

const CLOSE_TIMEOUT_MS = 2_003

const exited: Companion = {
  pid: 2,
  exited: Promise.resolve({ exitCode: 0, signal: null }),
  stderrHead: '',
  endSoon: () => undefined,
  endNow: () => undefined,
}

test('a shard that was told to let go of a dead child is not told to write first', async (t) => {
  const clock = new ManualClock((ms) => ms === CLOSE_TIMEOUT_MS)
  const lone = new LoneConnection({ clock, closeTimeoutMs: CLOSE_TIMEOUT_MS })
  const { connection } = lone
  // More than the ring has room for, to a stdin that somebody else holds.
  t.false(connection.send(Buffer.alloc(6_000)))
  connection.accompany(exited)
  await until(() => clock.armed.length === 1)
  clock.advance(CLOSE_TIMEOUT_MS)
  await turns(2)
  t.is(lone.load(lane.OUT_INTENT), intent.DESTROY)
  // Now it is read after all, before the shard has heard.
  lone.takeAll()
  connection.onNews()
  t.is(lone.load(lane.OUT_INTENT), intent.DESTROY)
  lone.store(lane.LIFE, life.CLOSED)
  connection.onNews()
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})
