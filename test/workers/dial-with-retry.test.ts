import test from 'ava'
import { systemClock } from '../../engine/protocol/clock.js'
import { dialWithRetry } from '../../workers/dial-with-retry.js'

test('a dial that is refused before it begins rejects, and can be aborted as any other', async (t) => {
  const denied = new Error('denied')
  const dialling = dialWithRetry(
    () => {
      throw denied
    },
    1_000,
    systemClock,
  )
  dialling.abort()
  t.is(await t.throwsAsync(dialling.connected), denied)
})
