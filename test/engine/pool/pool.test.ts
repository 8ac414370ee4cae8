/** What a pool does, step by step, with connections made of nothing. Its races: pool-races.test.ts. */
import test from 'ava'
import type { Lease } from '../../../engine/pool/lease.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { FakePool, settled, type FakeView } from '../../helpers/fake-pool.js'

type AnyLease = Lease<FakeView>

const WATCHDOG_MS = 20_000

test.beforeEach((t) => {
  t.timeout(WATCHDOG_MS)
})

/** Acquires, and lets the dial that this needs succeed. */
async function lend(fake: FakePool): Promise<AnyLease> {
  const acquiring = fake.pool.acquire()
  if (fake.dials.length > 0) await fake.connect()
  return acquiring
}

test('a connection is made when it is needed', async (t) => {
  const fake = new FakePool()
  t.like(fake.pool.stats(), { size: 0, created: 0, reuseRate: 0 })
  const lease = await lend(fake)
  t.like(fake.pool.stats(), { size: 1, leased: 1, created: 1, acquired: 1, reused: 0 })
  lease.release()
})

test('one that was released is lent again, the last first', async (t) => {
  const fake = new FakePool()
  const [first, second] = [await lend(fake), await lend(fake)]
  t.deepEqual([first.connection.connection.id, second.connection.connection.id], [1, 2])
  first.release()
  second.release()
  t.like(fake.pool.stats(), { size: 2, idle: 2, leased: 0, acquired: 2, reused: 0 })
  t.is((await lend(fake)).connection.connection.id, 2)
  t.is((await lend(fake)).connection.connection.id, 1)
  t.like(fake.pool.stats(), { size: 2, idle: 0, leased: 2, acquired: 4, reused: 2, reuseRate: 0.5 })
  t.is(fake.dialled, 2)
})

test('an idle connection rests, a leased one is awake', async (t) => {
  const fake = new FakePool()
  const lease = await lend(fake)
  t.is(fake.made[0]?.phase, 'awake')
  lease.release()
  t.is(fake.made[0]?.phase, 'resting')
  await lend(fake)
  t.is(fake.made[0]?.phase, 'awake')
})

test('the minimum is made at once, and made up for when one is lost', async (t) => {
  const fake = new FakePool({ min: 2 })
  t.like(fake.pool.stats(), { size: 2, connecting: 2 })
  await fake.connect()
  await fake.connect()
  t.like(fake.pool.stats(), { size: 2, idle: 2 })
  const lease = await lend(fake)
  lease.destroy()
  t.like(fake.pool.stats(), { size: 2, idle: 1, connecting: 1, created: 2, destroyed: 1 })
})

test('never more than the maximum; requests are served in order', async (t) => {
  const fake = new FakePool({ max: 2 })
  const leases = [await lend(fake), await lend(fake)]
  const order: number[] = []
  const waiting = [0, 1, 2].map(async (index) => {
    const lease = await fake.pool.acquire()
    order.push(index)
    lease.release()
  })
  t.is(fake.dials.length, 0)
  t.like(fake.pool.stats(), { size: 2, waiting: 3 })
  for (const lease of leases) lease.release()
  await Promise.all(waiting)
  t.deepEqual(order, [0, 1, 2])
  t.like(fake.pool.stats(), { size: 2, waiting: 0, idle: 2, reused: 3 })
})

test('a newcomer does not overtake those who wait', async (t) => {
  const fake = new FakePool({ max: 1 })
  const lease = await lend(fake)
  const order: string[] = []
  const early = fake.pool.acquire().then((next) => {
    order.push('early')
    next.release()
  })
  lease.release()
  const late = fake.pool.acquire().then((next) => {
    order.push('late')
    next.release()
  })
  await Promise.all([early, late])
  t.deepEqual(order, ['early', 'late'])
})

test('the error of an acquire that waits too long describes the pool', async (t) => {
  const fake = new FakePool({ max: 1 })
  await lend(fake)
  const late = fake.pool.acquire({ timeoutMs: 50 })
  const usual = fake.pool.acquire()
  fake.clock.advance(50)
  const error = await rejects(t, late, 'ERR_ACQUIRE_TIMEOUT')
  t.regex(error.message, /50 ms.*at most 1, 1 are in use/)
  t.is(error.endpoint, 'fake:')
  fake.clock.advance(9_950)
  await rejects(t, usual, 'ERR_ACQUIRE_TIMEOUT')
  t.is(fake.clock.armed, 0)
})

test('the error of an acquire that waited in vain because no dial succeeds has the reason as its cause', async (t) => {
  const fake = new FakePool({ createAttempts: 10 })
  const acquiring = fake.pool.acquire({ timeoutMs: 50 })
  const refused = new TransportError('ERR_REFUSED', 'no process listens')
  await fake.refuse(refused)
  fake.clock.advance(50)
  t.is((await rejects(t, acquiring, 'ERR_ACQUIRE_TIMEOUT')).cause, refused)
})

test('aborting gives up at once, and costs no connection', async (t) => {
  const fake = new FakePool()
  const already = await rejects(t, fake.pool.acquire({ signal: AbortSignal.abort('no') }), 'ERR_ABORTED')
  t.is(already.cause, 'no')
  t.is(fake.dialled, 0)
  const controller = new AbortController()
  const acquiring = fake.pool.acquire({ signal: controller.signal })
  const next = fake.pool.acquire()
  controller.abort('enough')
  t.is((await rejects(t, acquiring, 'ERR_ABORTED')).cause, 'enough')
  await fake.connect()
  t.is((await next).connection.connection.id, 1, 'what was made for the one goes to the other')
  await fake.connect()
  t.like(fake.pool.stats(), { idle: 1, leased: 1, created: 2, destroyed: 0 })
  t.is(fake.clock.armed, 1, 'the idle timeout')
})

test('options are checked', async (t) => {
  const fake = new FakePool()
  await rejects(t, fake.pool.acquire({ timeoutMs: -1 }), 'ERR_INVALID_OPTION')
  await rejects(t, fake.pool.acquire({ timeout: 5 } as object), 'ERR_INVALID_OPTION')
  await rejects(t, fake.pool.use(undefined as unknown as () => void), 'ERR_INVALID_OPTION')
})

test('use() releases, and destroys when what it runs fails', async (t) => {
  const fake = new FakePool()
  const using = fake.pool.use((view) => {
    view.gate.assertHeld()
    return view.connection.id
  })
  await fake.connect()
  t.is(await using, 1)
  t.like(fake.pool.stats(), { idle: 1, leased: 0 })
  const failure = new Error('no')
  t.is(await t.throwsAsync(fake.pool.use(() => Promise.reject(failure))), failure)
  t.is(fake.made[0]?.phase, 'destroyed')
  t.is(fake.made[0]?.reason, failure)
  t.like(fake.pool.stats(), { size: 0, created: 1, destroyed: 1 })
})

test('a lease ends once', async (t) => {
  const fake = new FakePool()
  const lease = await lend(fake)
  const { gate } = lease.connection
  gate.assertHeld()
  lease.release()
  t.false(lease.isHeld)
  throws(
    t,
    () => {
      lease.release()
    },
    'ERR_LEASE_ENDED',
  )
  throws(
    t,
    () => {
      lease.destroy()
    },
    'ERR_LEASE_ENDED',
  )
  throws(t, () => lease.connection, 'ERR_LEASE_ENDED')
  throws(
    t,
    () => {
      gate.assertHeld()
    },
    'ERR_LEASE_ENDED',
  )
  lease[Symbol.dispose]()
  const again = await lend(fake)
  t.is(again.connection.connection.id, 1)
  throws(t, () => lease.connection, 'ERR_LEASE_ENDED')
  again[Symbol.dispose]()
  t.like(fake.pool.stats(), { idle: 1, leased: 0, acquired: 2 })
})

for (const [why, phase] of [
  ['ended', 'closing'],
  ['unsent', 'closing'],
  ['unread', 'destroyed'],
  ['busy', 'destroyed'],
] as const) {
  test(`one that comes back ${why} leaves the pool`, async (t) => {
    const fake = new FakePool()
    const lease = await lend(fake)
    fake.made[0]?.spoil(why, false)
    lease.release()
    t.is(fake.made[0]?.phase, phase)
    t.like(fake.pool.stats(), { size: 0, created: 1, destroyed: 1 })
    t.is((await lend(fake)).connection.connection.id, 2)
  })

  test(`one that becomes ${why} while it is idle leaves the pool, before main knows and after`, async (t) => {
    const fake = new FakePool()
    const leases = [await lend(fake), await lend(fake)]
    for (const lease of leases) lease.release()
    fake.made[0]?.spoil(why, true)
    t.like(fake.pool.stats(), { size: 1, idle: 1, destroyed: 1 })
    fake.made[1]?.spoil(why, false)
    const acquiring = fake.pool.acquire()
    t.like(fake.pool.stats(), { size: 1, connecting: 1, destroyed: 2 })
    t.deepEqual(
      fake.made.map((connection) => connection.phase),
      [phase, phase],
    )
    await fake.connect()
    t.is((await acquiring).connection.connection.id, 3)
  })
}

test('idle connections above the minimum end after the idle timeout, the longest idle first', async (t) => {
  const fake = new FakePool({ min: 1 })
  await fake.connect()
  const leases = [await lend(fake), await lend(fake), await lend(fake)]
  for (const lease of leases) {
    lease.release()
    fake.clock.advance(100)
  }
  t.is(fake.clock.armed, 1, 'one timer serves them all')
  t.is(fake.clock.keepingAlive, 0)
  fake.clock.advance(699)
  t.like(fake.pool.stats(), { size: 3, destroyed: 0 })
  fake.clock.advance(1)
  t.deepEqual(
    fake.made.map(({ phase }) => phase),
    ['closing', 'resting', 'resting'],
  )
  fake.clock.advance(100)
  t.deepEqual(
    fake.made.map(({ phase }) => phase),
    ['closing', 'closing', 'resting'],
  )
  fake.clock.advance(100_000)
  t.like(fake.pool.stats(), { size: 1, idle: 1, destroyed: 2 })
  t.is(fake.clock.armed, 0, 'the last one may stay for ever')
  fake.pool.resize({ min: 0, max: 4 })
  fake.clock.advance(0)
  t.like(fake.pool.stats(), { size: 0, destroyed: 3 })
})

test('one that is used does not end for having been idle before', async (t) => {
  const fake = new FakePool()
  const lease = await lend(fake)
  lease.release()
  fake.clock.advance(900)
  const again = await lend(fake)
  fake.clock.advance(900)
  again.release()
  fake.clock.advance(999)
  t.like(fake.pool.stats(), { idle: 1 })
  fake.clock.advance(1)
  t.like(fake.pool.stats(), { size: 0 })
})

test('a connection ends at its age: while idle, when it is to be lent, and when it comes back', async (t) => {
  // Of a jitter of one half, a half is drawn: three quarters of 2,000 ms.
  const fake = new FakePool({ maxLifetimeMs: 2_000, idleTimeoutMs: 1_000_000 }, () => 0.5)
  const lease = await lend(fake)
  lease.release()
  fake.clock.advance(1_499)
  t.like(fake.pool.stats(), { idle: 1 })
  fake.clock.advance(1)
  t.like(fake.pool.stats(), { size: 0 })

  const second = await lend(fake)
  second.release()
  fake.clock.stall(1_500)
  const third = await lend(fake)
  t.is(third.connection.connection.id, 3, 'its timer was late, and it was not lent')
  fake.clock.advance(1_600)
  t.like(fake.pool.stats(), { leased: 1 })
  third.release()
  t.like(fake.pool.stats(), { size: 0, created: 3, destroyed: 3 })
  t.true(fake.made.every(({ phase }) => phase === 'closing'))
})

test('an old one of the minimum is replaced', async (t) => {
  const fake = new FakePool({ min: 1, maxLifetimeMs: 2_000 })
  await fake.connect()
  await lend(fake).then((lease) => {
    lease.release()
  })
  fake.clock.advance(2_000)
  t.like(fake.pool.stats(), { size: 1, connecting: 1, destroyed: 1 })
})

test('failures are paced, and after so many every request is refused', async (t) => {
  const fake = new FakePool({ max: 3 })
  const acquiring = [fake.pool.acquire(), fake.pool.acquire(), fake.pool.acquire()]
  const outcomes = Promise.allSettled(acquiring)
  t.is(fake.dials.length, 3)
  for (let i = 0; i < 3; i++) await fake.refuse()
  t.is(fake.dials.length, 0, 'a burst is one failure, and a pause follows')
  t.like(fake.pool.stats(), { waiting: 3, connecting: 0 })
  fake.clock.advance(99)
  t.is(fake.dials.length, 0)
  fake.clock.advance(1)
  t.is(fake.dials.length, 1, 'one at a time')
  await fake.refuse()
  fake.clock.advance(200)
  t.is(fake.dials.length, 1)
  const last = new TransportError('ERR_NOT_FOUND', 'no such path')
  await fake.refuse(last)
  for (const outcome of await outcomes) {
    t.is(outcome.status, 'rejected')
    if (outcome.status === 'fulfilled') continue
    const error = await rejects(t, Promise.reject(outcome.reason as Error), 'ERR_NOT_FOUND')
    t.is(error.cause, last)
    t.true(error.retryable)
  }
  const next = fake.pool.acquire()
  t.is(fake.dials.length, 0, 'the next one does not cut the pause short')
  fake.clock.advance(400)
  await fake.connect()
  await next
  void Promise.allSettled([fake.pool.acquire(), fake.pool.acquire()])
  t.is(fake.dials.length, 2, 'success ends the pacing')
})

test('an error that no retry helps rejects an acquire at once', async (t) => {
  const fake = new FakePool()
  const acquiring = fake.pool.acquire()
  const denied = new TransportError('ERR_ACCESS', 'denied')
  await fake.refuse(denied)
  t.is((await rejects(t, acquiring, 'ERR_ACCESS')).cause, denied)
})

test('whatever a dial rejects with is the cause of the error', async (t) => {
  const fake = new FakePool({ createAttempts: 1 })
  const acquiring = fake.pool.acquire()
  await fake.refuse('odd')
  t.is((await rejects(t, acquiring, 'ERR_IO')).cause, 'odd')
})

test('a minimum whose connections die at once does not make a hot loop', async (t) => {
  const fake = new FakePool({ min: 1 })
  for (const pause of [100, 200, 400, 800, 800]) {
    const connection = await fake.connect()
    connection.spoil('ended', true)
    t.is(fake.dials.length, 0)
    fake.clock.advance(pause - 1)
    t.is(fake.dials.length, 0, `${String(pause)} ms`)
    fake.clock.advance(1)
    t.is(fake.dials.length, 1)
  }
})

test('validate decides about each connection before it is lent', async (t) => {
  const asked: number[] = []
  let verdict: unknown = true
  const fake = new FakePool({
    validate: ({ connection }) => {
      asked.push(connection.id)
      return verdict
    },
  })
  const first = fake.pool.acquire()
  await fake.connect()
  ;(await first).release()
  const second = await fake.pool.acquire()
  second.release()
  t.deepEqual(asked, [1, 1])
  verdict = Promise.resolve(false)
  const third = fake.pool.acquire()
  await settled()
  t.like(fake.pool.stats(), { connecting: 1, destroyed: 1, waiting: 1 })
  t.is(fake.made[0]?.phase, 'destroyed')
  verdict = undefined
  await fake.connect()
  t.is((await third).connection.connection.id, 2)
  t.deepEqual(asked, [1, 1, 1, 2])
})

test('validate that throws what is no error of ours is reported', async (t) => {
  const thrown = [new TypeError('no such thing'), new TransportError('ERR_TIMEOUT', 'no answer')]
  const fake = new FakePool({
    validate: () => {
      const error = thrown.shift()
      if (error !== undefined) throw error
    },
  })
  const acquiring = fake.pool.acquire()
  for (let i = 0; i < 3; i++) {
    await fake.connect()
    fake.clock.advance(800)
    await fake.clock.turn()
  }
  ;(await acquiring).release()
  const [{ error, context } = {}, ...others] = fake.failures.take()
  t.is(error?.code, 'ERR_HANDLER')
  t.is((error?.cause as Error).message, 'no such thing')
  t.deepEqual(context, { where: 'validate', endpoint: 'fake:', connection: undefined })
  t.is(others.length, 0)
})

test('validate that never likes anything is paced, and told', async (t) => {
  const reason = new Error('bad')
  const fake = new FakePool({
    createAttempts: 2,
    validate: () => {
      throw reason
    },
  })
  const acquiring = fake.pool.acquire()
  await fake.connect()
  t.is(fake.dials.length, 0)
  fake.clock.advance(100)
  await fake.connect()
  const error = await rejects(t, acquiring, 'ERR_VALIDATION')
  t.is((error.cause as TransportError).code, 'ERR_VALIDATION')
  t.is((error.cause as TransportError).cause, reason)
})

test('resizing makes connections and closes them', async (t) => {
  const fake = new FakePool({ max: 1 })
  const lease = await lend(fake)
  const waiting = [fake.pool.acquire(), fake.pool.acquire()]
  fake.pool.resize({ min: 0, max: 3 })
  t.is(fake.dials.length, 2)
  await fake.connect()
  await fake.connect()
  const [second, third] = await Promise.all(waiting)
  fake.pool.resize({ min: 0, max: 1 })
  t.like(fake.pool.stats(), { size: 3, leased: 3 })
  lease.release()
  second?.release()
  t.like(fake.pool.stats(), { size: 1, destroyed: 2 })
  third?.release()
  t.like(fake.pool.stats(), { size: 1, idle: 1 })
  fake.pool.resize({ min: 2, max: 2 })
  t.like(fake.pool.stats(), { size: 2, idle: 1, connecting: 1 })
})

test('a smaller pool closes what is idle at once', async (t) => {
  const fake = new FakePool()
  const leases = [await lend(fake), await lend(fake), await lend(fake)]
  for (const lease of leases) lease.release()
  fake.pool.resize({ min: 0, max: 1 })
  t.deepEqual(
    fake.made.map(({ phase }) => phase),
    ['closing', 'closing', 'resting'],
  )
})

test('closing waits for leases and for what closes, and refuses new requests', async (t) => {
  const fake = new FakePool({ max: 2 })
  const leases = [await lend(fake), await lend(fake)]
  const waiting = fake.pool.acquire()
  leases[0]?.release()
  const third = await waiting
  let isClosed = false
  const closing = fake.pool.close(1_000).then(() => {
    isClosed = true
  })
  await rejects(t, fake.pool.acquire(), 'ERR_POOL_CLOSED')
  throws(
    t,
    () => {
      fake.pool.resize({ min: 0, max: 1 })
    },
    'ERR_POOL_CLOSED',
  )
  third.release()
  await settled()
  t.false(isClosed)
  leases[1]?.release()
  await settled()
  t.false(isClosed, 'they are still closing')
  for (const connection of fake.made) connection.finishClosing()
  await closing
  t.like(fake.pool.stats(), { size: 0, created: 2, destroyed: 2 })
  t.is(fake.clock.armed, 0)
  await fake.pool.close(0)
})

test('closing takes what does not come back in time', async (t) => {
  const fake = new FakePool()
  const lease = await lend(fake)
  const { gate } = lease.connection
  const closing = fake.pool.close(1_000)
  t.is(fake.clock.keepingAlive, 1)
  fake.clock.advance(1_000)
  await closing
  t.is(fake.made[0]?.phase, 'destroyed')
  t.like(fake.pool.stats(), { size: 0, leased: 0, destroyed: 1 })
  t.false(lease.isHeld)
  const error = throws(t, () => lease.connection, 'ERR_LEASE_ENDED')
  t.is((error.cause as TransportError).code, 'ERR_POOL_CLOSED')
  throws(
    t,
    () => {
      gate.assertHeld()
    },
    'ERR_LEASE_ENDED',
  )
  t.notThrows(() => {
    lease.release()
  }, 'a holder that cleans up is not to be punished')
  t.is(fake.clock.armed, 0)
})

test('closing an empty pool is done at once', async (t) => {
  const fake = new FakePool()
  await fake.pool.close(1_000)
  t.is(fake.clock.armed, 0)
})
