/** Things that happen to a pool in the same turn, in either order; and what observers are told. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { FakePool, settled } from '../../helpers/fake-pool.js'

const WATCHDOG_MS = 20_000

test.beforeEach((t) => {
  t.timeout(WATCHDOG_MS)
})

/** A pool of one connection, which is out on lease. */
async function lentOut(settings: ConstructorParameters<typeof FakePool>[0] = {}) {
  const fake = new FakePool({ max: 1, ...settings })
  const acquiring = fake.pool.acquire()
  const connection = await fake.connect()
  return { fake, connection, lease: await acquiring }
}

test('a release and the timeout of a request, in one turn: the connection is not lost', async (t) => {
  const released = await lentOut()
  const served = released.fake.pool.acquire({ timeoutMs: 50 })
  released.lease.release()
  released.fake.clock.advance(50)
  t.true((await served).isHeld, 'first the release: it is served')
  t.like(released.fake.pool.stats(), { leased: 1, waiting: 0 })

  const late = await lentOut()
  const unserved = late.fake.pool.acquire({ timeoutMs: 50 })
  late.fake.clock.advance(50)
  late.lease.release()
  await rejects(t, unserved, 'ERR_ACQUIRE_TIMEOUT')
  t.like(late.fake.pool.stats(), { idle: 1, waiting: 0 }, 'first the timeout: it is idle')
})

test('a release and the abort of a request, in one turn: the connection is not lost', async (t) => {
  const released = await lentOut()
  const controller = new AbortController()
  const served = released.fake.pool.acquire({ signal: controller.signal })
  released.lease.release()
  controller.abort()
  t.true((await served).isHeld)

  const late = await lentOut()
  const aborting = new AbortController()
  const [unserved, next] = [late.fake.pool.acquire({ signal: aborting.signal }), late.fake.pool.acquire()]
  aborting.abort()
  late.lease.release()
  await rejects(t, unserved, 'ERR_ABORTED')
  t.true((await next).isHeld)
})

test('one that dies in the turn in which it comes back is not handed on', async (t) => {
  const { fake, connection, lease } = await lentOut()
  const next = fake.pool.acquire()
  connection.spoil('ended', false)
  lease.release()
  t.like(fake.pool.stats(), { size: 1, connecting: 1, destroyed: 1 })
  const other = await fake.connect()
  t.is((await next).connection.connection.id, other.id)
})

test('one that is dead when its dial resolves is not handed on', async (t) => {
  const fake = new FakePool({ max: 1 })
  const acquiring = fake.pool.acquire()
  await fake.connect('ended')
  t.like(fake.pool.stats(), { size: 0, waiting: 1 })
  fake.clock.advance(100)
  const other = await fake.connect()
  t.is((await acquiring).connection.connection.id, other.id)
})

test('a dial that resolves after the pool was closed is destroyed', async (t) => {
  const fake = new FakePool()
  const acquiring = fake.pool.acquire()
  const closing = fake.pool.close(1_000)
  t.true(fake.dials[0]?.signal?.aborted)
  await rejects(t, acquiring, 'ERR_POOL_CLOSED')
  const connection = await fake.connect()
  t.is(connection.phase, 'destroyed')
  await closing
  t.like(fake.pool.stats(), { size: 0, created: 1, destroyed: 1 })
  t.is(fake.clock.armed, 0)
})

test('a dial that settles only when the pool has stopped waiting for it is destroyed, or forgotten', async (t) => {
  const fake = new FakePool()
  void fake.pool.acquire().catch(() => undefined)
  void fake.pool.acquire().catch(() => undefined)
  const closing = fake.pool.close(1_000)
  fake.clock.advance(1_000)
  await closing
  const connection = await fake.connect()
  t.is(connection.phase, 'destroyed')
  await fake.refuse()
  t.like(fake.pool.stats(), { size: 0, created: 1, destroyed: 1 })
})

test('closing while a connection is validated destroys it, whatever validate says later', async (t) => {
  let settle: (good: boolean) => void = () => undefined
  const fake = new FakePool({
    validate: () =>
      new Promise((resolve) => {
        settle = resolve
      }),
  })
  const acquiring = fake.pool.acquire()
  const connection = await fake.connect()
  t.like(fake.pool.stats(), { size: 1, validating: 1 })
  const closing = fake.pool.close(1_000)
  t.is(connection.phase, 'destroyed')
  await rejects(t, acquiring, 'ERR_POOL_CLOSED')
  await closing
  settle(true)
  await settled()
  t.like(fake.pool.stats(), { size: 0, validating: 0, created: 1, destroyed: 1 })
  t.is(fake.clock.armed, 0)
})

test('validate that never settles is bounded, and what it was given stops working', async (t) => {
  const gates: { assertHeld(): void }[] = []
  const fake = new FakePool({
    max: 1,
    acquireTimeoutMs: 500,
    validate: ({ gate }) => {
      gates.push(gate)
      return new Promise(() => undefined)
    },
  })
  const acquiring = fake.pool.acquire()
  const connection = await fake.connect()
  gates[0]?.assertHeld()
  fake.clock.advance(500)
  await rejects(t, acquiring, 'ERR_ACQUIRE_TIMEOUT')
  await settled()
  t.is(connection.phase, 'destroyed')
  t.like(fake.pool.stats(), { size: 0, validating: 0 })
  throws(
    t,
    () => {
      gates[0]?.assertHeld()
    },
    'ERR_LEASE_ENDED',
  )
})

test('a request that gives up during validation leaves the connection to the next, or to the idle list', async (t) => {
  const verdicts: ((good: boolean) => void)[] = []
  const fake = new FakePool({
    max: 1,
    validate: () =>
      new Promise((resolve) => {
        verdicts.push(resolve)
      }),
  })
  const [first, second] = [new AbortController(), new AbortController()]
  const givenUp = fake.pool.acquire({ signal: first.signal })
  const next = fake.pool.acquire({ signal: second.signal })
  await fake.connect()
  first.abort()
  verdicts[0]?.(true)
  await rejects(t, givenUp, 'ERR_ABORTED')
  const lease = await next
  lease.release()

  const alone = fake.pool.acquire({ signal: second.signal })
  await settled()
  second.abort()
  verdicts[1]?.(true)
  await rejects(t, alone, 'ERR_ABORTED')
  await settled()
  t.like(fake.pool.stats(), { size: 1, idle: 1, validating: 0, destroyed: 0 })
  t.is(fake.made[0]?.phase, 'resting')
})

test('one that dies while it is validated is not handed on, though validate likes it', async (t) => {
  let settle: (good: boolean) => void = () => undefined
  const fake = new FakePool({
    validate: () =>
      new Promise((resolve) => {
        settle = resolve
      }),
  })
  const acquiring = fake.pool.acquire()
  const connection = await fake.connect()
  connection.spoil('unread', false)
  settle(true)
  await settled()
  t.is(connection.phase, 'destroyed')
  t.like(fake.pool.stats(), { waiting: 1, leased: 0 })
  await Promise.all([rejects(t, acquiring, 'ERR_POOL_CLOSED'), fake.pool.close(0)])
})

test('validate and observers may close the pool in the middle of its work', async (t) => {
  const fake = new FakePool({ min: 2, validate: () => void fake.pool.close(0) })
  const acquiring = fake.pool.acquire()
  await fake.connect()
  await rejects(t, acquiring, 'ERR_POOL_CLOSED')
  t.is(fake.dialled, 2)

  const watched = await lentOut({ max: 2 })
  watched.lease.release()
  watched.connection.spoil('unread', false)
  const close = (): void => void watched.fake.pool.close(0)
  subscribe('symphony-transport:pool.discarded', close)
  try {
    await rejects(t, watched.fake.pool.acquire(), 'ERR_POOL_CLOSED')
  } finally {
    unsubscribe('symphony-transport:pool.discarded', close)
  }
  t.is(watched.fake.dialled, 1)
  t.is(watched.fake.clock.armed, 0)
})

test('many connections that died at once are skipped without piling up calls', async (t) => {
  const many = 20_000
  const fake = new FakePool({ max: many, createAttempts: 1_000 })
  const acquiring = Array.from({ length: many }, () => fake.pool.acquire())
  for (let i = 0; i < many; i++) void fake.connect()
  for (const lease of await Promise.all(acquiring)) lease.release()
  for (const connection of fake.made) connection.spoil('ended', false)
  const last = fake.pool.acquire()
  t.like(fake.pool.stats(), { size: 1, connecting: 1, destroyed: many })
  const fresh = await fake.connect()
  t.is((await last).connection.connection.id, fresh.id)
})

test('the deadline of closing ends a graceful close, too', async (t) => {
  const { fake, connection, lease } = await lentOut()
  lease.release()
  const closing = fake.pool.close(1_000)
  t.is(connection.phase, 'closing')
  fake.clock.advance(1_000)
  await closing
  t.is(connection.phase, 'destroyed')
})

test('several that are idle for too long at once leave the minimum', async (t) => {
  const fake = new FakePool({ min: 1 })
  const acquiring = [fake.pool.acquire(), fake.pool.acquire(), fake.pool.acquire()]
  for (let i = 0; i < 3; i++) await fake.connect()
  for (const lease of await Promise.all(acquiring)) lease.release()
  fake.clock.advance(1_000)
  t.like(fake.pool.stats(), { size: 1, idle: 1, destroyed: 2 })
})

test('a connection that proves itself ends the pause, and what is missing is made', async (t) => {
  const fake = new FakePool({ min: 2 })
  await fake.connect()
  await fake.refuse()
  t.is(fake.dials.length, 0)
  await fake.pool.acquire()
  t.is(fake.dials.length, 1)
})

interface Published {
  readonly event: string
  readonly message: Readonly<Record<string, unknown>>
}

async function observe(body: () => Promise<void>): Promise<readonly Published[]> {
  const published: Published[] = []
  const stops = ['connection-failed', 'exhausted', 'discarded', 'leak'].map((name) => {
    const event = `pool.${name}`
    const listen = (message: unknown): void => {
      published.push({ event, message: message as Published['message'] })
    }
    subscribe(`symphony-transport:${event}`, listen)
    return () => unsubscribe(`symphony-transport:${event}`, listen)
  })
  try {
    await body()
  } finally {
    for (const stop of stops) stop()
  }
  return published
}

test.serial('failures, waiting, and discarded connections are published', async (t) => {
  const error = new TransportError('ERR_REFUSED', 'no process listens')
  const endpoint = 'fake:'
  const published = await observe(async () => {
    const fake = new FakePool({ max: 1 })
    const first = fake.pool.acquire()
    await fake.refuse(error)
    fake.clock.advance(100)
    const connection = await fake.connect()
    const lease = await first
    const second = fake.pool.acquire()
    connection.spoil('unsent', false)
    lease.release()
    await fake.connect()
    ;(await second).release()
    fake.made[1]?.spoil('unread', true)
  })
  t.deepEqual(published, [
    { event: 'pool.connection-failed', message: { engine: '0', endpoint, failures: 1, error, pauseMs: 100 } },
    { event: 'pool.exhausted', message: { engine: '0', endpoint, waiting: 1, max: 1 } },
    { event: 'pool.discarded', message: { engine: '0', endpoint, why: 'unsent', when: 'released' } },
    { event: 'pool.discarded', message: { engine: '0', endpoint, why: 'unread', when: 'idle' } },
  ])
})

test.serial('a lease that is held too long is reported once, with the place where it was taken', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  try {
    const fake = new FakePool({ leakAfterMs: 300 })
    const published = await observe(async () => {
      async function forgetful() {
        return fake.pool.acquire()
      }
      const acquiring = forgetful()
      await fake.connect()
      const lease = await acquiring
      const good = fake.pool.acquire()
      await fake.connect()
      ;(await good).release()
      fake.clock.advance(10_000)
      lease.release()
      const late = await fake.pool.acquire()
      fake.clock.advance(299)
      late.release()
      fake.clock.advance(1)
      await new Promise((resolve) => setImmediate(resolve))
    })
    t.is(published.length, 1)
    t.like(published[0], { event: 'pool.leak', message: { endpoint: 'fake:', heldMs: 300 } })
    t.regex(String(published[0]?.message['stack']), /taken here\n[^]*\bat forgetful/)
    t.is(warnings.length, 1)
    t.like(warnings[0], { code: 'SYMPHONY_LEASE_LEAK', name: 'TransportWarning' })
  } finally {
    process.off('warning', onWarning)
  }
})
