/** Listeners and engines that are closed while handler modules set up, work, hang or die. */
import test, { type ExecutionContext } from 'ava'
import type { EngineOptions } from '../../api/index.js'
import { word } from '../fixtures/unruly-module.js'
import { faultyOptions, nextEvent, strike, strikeSoon } from '../helpers/faults.js'
import { byLength } from '../helpers/length.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { Random, testSeed } from '../helpers/random.js'
import { signal, turns, until } from '../helpers/turns.js'
import { Unruly } from '../helpers/unruly-listener.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
/** Longer than the watchdog: a test that passes has not waited for this. */
const GRACE_MS = 60_000
const SHORT_GRACE_MS = 50

failOnWarnings()

async function withUnruly(
  t: ExecutionContext,
  options: EngineOptions,
  body: (unruly: Unruly) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const unruly = await Unruly.start(options)
  try {
    await body(unruly)
  } finally {
    t.is(await unruly.close(), 0)
  }
}

test.serial('a set-up that never ends is given up by abort, by time and by the end of the engine', async (t) => {
  await withUnruly(t, { shards: 2 }, async (unruly) => {
    const hanging = { setup: 'hang' } as const
    await t.throwsAsync(unruly.listen(hanging, { setupTimeoutMs: 10 }), { code: 'ERR_HANDLER_LOAD' })
    // At each step of the way.
    for (let step = 0; step < 8; step++) {
      const aborting = new AbortController()
      const aborted = unruly.listen(hanging, { setupTimeoutMs: GRACE_MS, signal: aborting.signal })
      await turns(step)
      aborting.abort()
      await t.throwsAsync(aborted, { code: 'ERR_ABORTED' })
    }
    const closed = unruly.listen(hanging, { setupTimeoutMs: GRACE_MS })
    await turns(3)
    const closing = unruly.engine.close({ graceMs: GRACE_MS })
    await t.throwsAsync(closed, { code: 'ERR_ENGINE_CLOSED' })
    t.is((await closing).leaked, 0)
  })
})

test.serial('a module whose set-up was given up is torn down once it is done after all', async (t) => {
  await withUnruly(t, { shards: 1 }, async (unruly) => {
    const aborting = new AbortController()
    const listening = unruly.listen({ setup: 'wait' }, { signal: aborting.signal })
    await until(() => unruly.count('CALLED') === 1)
    aborting.abort()
    await t.throwsAsync(listening, { code: 'ERR_ABORTED' })
    t.is(unruly.count('TEARDOWNS'), 0)
    Atomics.store(unruly.words, word.GO, 1)
    await until(() => unruly.count('TEARDOWNS') === 1)
    t.is(unruly.count('SETUPS'), 1)
  })
})

test.serial('a shard that dies while a module is set up rejects listen(), and leaves nothing', async (t) => {
  await withUnruly(t, { shards: 2, ...faultyOptions() }, async (unruly) => {
    const called = signal()
    const host = { proceed: () => (called.resolve(), new Promise(() => undefined)) }
    const rejected = t.throwsAsync(unruly.listen({ setup: 'wait for host' }, { host, setupTimeoutMs: GRACE_MS }), {
      code: 'ERR_SHARD_LOST',
    })
    await called.promise
    const restored = nextEvent('shard.restored')
    await strike(unruly.engine, 0, 'exit')
    await rejected
    await restored
    const listener = await unruly.listen()
    t.is(listener.handlers.length, 2)
  })
})

test.serial('a handler that never settles costs listener.close() no more than graceMs', async (t) => {
  await withUnruly(t, { shards: 1 }, async (unruly) => {
    const listener = await unruly.listen()
    const [peer, other] = [await unruly.connect(), await unruly.connect()]
    t.is(await other.ask('hello'), 'hello')
    peer.tell('never')
    t.deepEqual(await listener.close({ graceMs: 5 }), { code: 'OK' })
    t.is(await other.ask('still here'), 'still here')
    other.socket.end()
    t.is(await other.reply(), undefined)
    t.is(listener.handlers.length, 1)
    t.is(unruly.count('TEARDOWNS'), 0)
  })
})

for (const gone of [false, true]) {
  const state = gone ? 'has ended' : 'is open'
  test.serial(`a handler that never settles, whose connection ${state}, costs engine.close() graceMs`, async (t) => {
    t.timeout(WATCHDOG_MS)
    // A second after graceMs threads are killed, which never happens here.
    const clock = new ManualClock((ms) => ms === 4_000 || ms === 5_000)
    const unruly = await Unruly.start({ shards: 1, stuckTimeoutMs: GRACE_MS }, clock)
    try {
      const listener = await unruly.listen({ serve: 'not' })
      const peer = await unruly.connect()
      await until(() => unruly.count('SERVED') === 1)
      if (gone) {
        await listener.close()
        peer.socket.destroy()
        await until(() => listener.stats().open === 0)
      }
      const closing = unruly.engine.close({ graceMs: 4_000 })
      await listener.closed
      await turns(3)
      clock.advance(4_000)
      t.is((await closing).leaked, 0)
      t.is(unruly.count('TEARDOWNS'), 1)
      t.is(await peer.reply(), undefined)
    } finally {
      await unruly.close()
    }
  })
}

test.serial('a blocked handler costs engine.close() no more than graceMs and a second', async (t) => {
  await withUnruly(t, { shards: 2, stuckTimeoutMs: GRACE_MS }, async (unruly) => {
    await unruly.listen()
    const peer = await unruly.connectTo('0.1')
    peer.tell('block')
    t.is((await unruly.engine.close({ graceMs: SHORT_GRACE_MS })).leaked, 0)
    t.is(await peer.reply(), undefined)
  })
})

const ends = ['listener', 'engine', 'none'] as const
const ROUNDS = byLength({ short: 6, long: 20 })
const seed = testSeed()

test.serial(`deaths amid connects, failures and closing leave nothing (seed ${String(seed)})`, async (t) => {
  t.timeout(4 * WATCHDOG_MS)
  const random = new Random(seed)
  for (let round = 0; round < ROUNDS; round++) {
    const end = ends[round % ends.length]
    await withUnruly(t, { ...faultyOptions(), shards: 2 }, async (unruly) => {
      const listener = await unruly.listen()
      const visit = async (): Promise<void> => {
        const peer = await unruly.connect().catch(() => undefined)
        if (peer === undefined) return
        if (random.oneIn(4)) peer.tell(random.oneIn(2) ? 'throw' : 'reject when closed')
        else await peer.ask('hello')
        peer.socket.destroy()
      }
      const storm = Promise.all(
        Array.from({ length: 40 }, async () => {
          await turns(random.below(30))
          for (let i = 0; i < 3; i++) await visit()
        }),
      )
      await turns(random.below(40))
      strikeSoon(unruly.engine, random.below(2), random.oneIn(2) ? 'exit' : 'throw')
      await turns(random.below(10))
      if (end === 'engine') t.is((await unruly.engine.close({ graceMs: random.below(30) })).leaked, 0)
      if (end === 'listener') t.deepEqual(await listener.close({ graceMs: random.below(30) }), { code: 'OK' })
      await storm
      await until(() => listener.stats().open === 0)
      const { connections } = unruly.engine.stats()
      t.is(connections, 0)
    })
  }
})
