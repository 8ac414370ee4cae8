/** The circuit breaker, alone and shared by reconnecting connections. */
import test from 'ava'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { Permit } from '../../../engine/reconnect/breaker.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { breakerFor, FakeReconnecting, TurningClock } from '../../helpers/fake-reconnecting.js'
import { turns } from '../../helpers/turns.js'

const WATCHDOG_MS = 20_000
const failure = new TransportError('ERR_REFUSED', 'refused')

function admitted(permit: Permit | undefined): Permit {
  if (permit === undefined) throw new Error('not admitted')
  return permit
}

test('failures in a row open it, a success in between does not let them add up', (t) => {
  const breaker = breakerFor(new FakeClock())
  for (const fails of [true, true, false, true, true]) {
    const permit = admitted(breaker.tryAdmit())
    if (fails) permit.failed(failure)
    else permit.succeeded()
  }
  t.is(breaker.state.kind, 'closed')
  t.is(breaker.refusal, undefined)
  admitted(breaker.tryAdmit()).failed(failure)
  t.is(breaker.state.kind, 'open')
  t.is(breaker.tryAdmit(), undefined)
  t.is(breaker.refusal?.code, 'ERR_CIRCUIT_OPEN')
  t.is(breaker.refusal?.cause, failure)
})

test('after its time one probe goes, which closes it or opens it again', (t) => {
  const clock = new FakeClock()
  const breaker = breakerFor(clock, { failures: 1 })
  admitted(breaker.tryAdmit()).failed(failure)
  clock.advance(999)
  t.is(breaker.tryAdmit(), undefined)
  clock.advance(1)
  const probe = admitted(breaker.tryAdmit())
  t.is(breaker.state.kind, 'half-open')
  t.is(breaker.tryAdmit(), undefined)
  probe.failed(failure)
  t.is(breaker.state.kind, 'open')
  clock.advance(1000)
  admitted(breaker.tryAdmit()).succeeded()
  t.deepEqual(breaker.state, { kind: 'closed', failures: 0 })
})

test('a probe that says nothing makes way for the next', (t) => {
  const clock = new FakeClock()
  const breaker = breakerFor(clock, { failures: 1 })
  admitted(breaker.tryAdmit()).failed(failure)
  clock.advance(1000)
  const probe = admitted(breaker.tryAdmit())
  const got: Permit[] = []
  breaker.wait((permit) => got.push(permit))
  t.is(got.length, 0)
  probe.abandoned()
  probe.failed(failure)
  t.is(got.length, 1)
  t.is(breaker.state.kind, 'half-open')
})

test('an attempt from before it opened changes nothing by failing, and closes it by succeeding', (t) => {
  const clock = new FakeClock()
  const breaker = breakerFor(clock, { failures: 1, concurrency: 3 })
  const [first, second, third] = [0, 1, 2].map(() => admitted(breaker.tryAdmit()))
  first?.failed(failure)
  clock.advance(1000)
  admitted(breaker.tryAdmit())
  second?.failed(failure)
  t.is(breaker.state.kind, 'half-open')
  third?.succeeded()
  t.is(breaker.state.kind, 'closed')
})

test('what gets no permit waits in the queue, a few go at a time, and what has left is not called', (t) => {
  const clock = new FakeClock()
  const breaker = breakerFor(clock)
  const first = [0, 1].map(() => admitted(breaker.tryAdmit()))
  const got: { readonly who: number; readonly permit: Permit }[] = []
  const leave = Array.from({ length: 7 }, (_, who) =>
    breaker.wait((permit) => {
      got.push({ who, permit })
    }),
  )
  const ids = (): number[] => got.map(({ who }) => who)
  t.is(breaker.stats.waiting, 7)
  t.is(clock.armed, 0, 'there is no time to wait for')
  for (const permit of first) permit.succeeded()
  t.deepEqual(ids(), [0, 1])
  t.is(breaker.tryAdmit(), undefined, 'none overtakes the queue')
  leave[2]?.()
  got[0]?.permit.succeeded()
  t.deepEqual(ids(), [0, 1, 3])
  got[1]?.permit.failed(failure)
  got[2]?.permit.failed(failure)
  t.deepEqual(ids(), [0, 1, 3, 4, 5])
  got[3]?.permit.failed(failure)
  t.is(breaker.state.kind, 'open')
  t.deepEqual(breaker.stats, { endpoint: 'fake:peer', state: 'open', failures: 3, attempting: 1, waiting: 1 })
  clock.advance(999)
  t.is(got.length, 5)
  clock.advance(1)
  t.deepEqual(ids(), [0, 1, 3, 4, 5, 6])
  t.is(clock.armed, 0)
})

test('an empty queue needs no timer', (t) => {
  const clock = new FakeClock()
  const breaker = breakerFor(clock, { failures: 1 })
  admitted(breaker.tryAdmit()).failed(failure)
  t.is(clock.armed, 0)
  const leave = breaker.wait(() => undefined)
  t.is(clock.armed, 1)
  t.is(clock.keepingAlive, 0)
  leave()
  t.is(clock.armed, 0)
})

test('connections to one endpoint share it: one probes for all, and when the peer is back they come a few at a time', async (t) => {
  t.timeout(WATCHDOG_MS)
  const clock = new TurningClock()
  const breaker = breakerFor(clock, {}, 'fake:shared')
  const said: string[] = []
  const listen = (message: unknown, name: string | symbol): void => {
    if ((message as { endpoint: string }).endpoint === 'fake:shared') said.push(String(name))
  }
  const channels = ['opened', 'closed'].map((what) => `symphony-transport:breaker.${what}`)
  for (const name of channels) subscribe(name, listen)
  try {
    const fakes = Array.from({ length: 10 }, () => new FakeReconnecting({ breaker }, clock))
    await turns(2)
    const pending = (): FakeReconnecting[] => fakes.filter(({ dialler }) => dialler.pending > 0)
    t.is(pending().length, 2)
    while (breaker.state.kind === 'closed') {
      pending()[0]?.dialler.refuse()
      await turns(2)
    }
    for (const fake of pending()) fake.dialler.refuse()
    await turns(2)
    t.is(pending().length, 0)
    clock.advance(1000)
    await turns(2)
    t.is(pending().length, 1, 'the probe')
    clock.advance(5000)
    await turns(2)
    t.is(pending().length, 1, 'no other, however long it takes')
    while (fakes.some(({ reconnecting }) => reconnecting.state !== 'connected')) {
      t.true(pending().length <= 2)
      pending()[0]?.dialler.accept()
      await turns(2)
      clock.advance(100)
      await turns(2)
    }
    t.deepEqual(said, channels)
    t.like(breaker.stats, { state: 'closed', failures: 0, attempting: 0, waiting: 0 })
  } finally {
    for (const name of channels) unsubscribe(name, listen)
  }
})

test('waiting for the circuit is no attempt, and is over when the time is', async (t) => {
  t.timeout(WATCHDOG_MS)
  const clock = new TurningClock()
  const breaker = breakerFor(clock, { failures: 1, openMs: 10_000 })
  admitted(breaker.tryAdmit()).failed(failure)
  const fake = new FakeReconnecting({ breaker, maxElapsedMs: 400, maxAttempts: 1 }, clock)
  await turns(2)
  t.is(fake.reconnecting.state, 'waiting')
  t.is(fake.reconnecting.attempts, 0)
  clock.advance(400)
  const { code, cause } = await fake.reconnecting.closed
  t.is(code, 'ERR_GAVE_UP')
  t.is((cause?.cause as TransportError).code, 'ERR_CIRCUIT_OPEN')
  t.is(breaker.stats.waiting, 0)
  t.is(clock.armed, 0)
})

test('a timer that fires a moment early does not end the wait for the circuit, nor make it endless', async (t) => {
  t.timeout(WATCHDOG_MS)
  // As the system's do: they count whole milliseconds.
  class EarlyClock extends TurningClock {
    early = 0

    override now(): number {
      return super.now() - this.early
    }
  }
  const clock = new EarlyClock()
  const breaker = breakerFor(clock, { failures: 1, openMs: 10_000 })
  admitted(breaker.tryAdmit()).failed(failure)
  const { reconnecting } = new FakeReconnecting({ breaker, maxElapsedMs: 400 }, clock)
  await turns(2)
  clock.early = 1
  clock.advance(400)
  t.is(reconnecting.state, 'waiting')
  t.is(breaker.stats.waiting, 1)
  clock.early = 0
  clock.advance(1)
  t.is((await reconnecting.closed).code, 'ERR_GAVE_UP')
  t.is(breaker.stats.waiting, 0)
})

test('a first attempt that the circuit does not let through fails fast where that is wanted', async (t) => {
  t.timeout(WATCHDOG_MS)
  const clock = new TurningClock()
  const breaker = breakerFor(clock, { failures: 1 })
  admitted(breaker.tryAdmit()).failed(failure)
  const fake = new FakeReconnecting({ breaker, firstConnect: 'fail-fast' }, clock)
  t.is((await fake.reconnecting.closed).code, 'ERR_CIRCUIT_OPEN')
})

test('connections that are closed leave the queue and give their permits back; lost shards do not count against the peer', async (t) => {
  t.timeout(WATCHDOG_MS)
  const clock = new TurningClock()
  const breaker = breakerFor(clock, { failures: 1, concurrency: 1 })
  const fakes = Array.from({ length: 3 }, () => new FakeReconnecting({ breaker }, clock))
  await turns(2)
  t.is(breaker.stats.waiting, 2)
  await fakes[1]?.reconnecting.close()
  t.is(breaker.stats.waiting, 1)
  await fakes[0]?.reconnecting.close()
  await turns(2)
  t.is(fakes[2]?.dialler.pending, 1)
  fakes[2]?.dialler.refuse('ERR_SHARD_LOST')
  await turns(2)
  t.is(breaker.state.kind, 'closed')
  await fakes[2]?.reconnecting.close()
  t.deepEqual(breaker.stats, {
    endpoint: 'fake:peer',
    state: 'closed',
    failures: 0,
    attempting: 0,
    waiting: 0,
  })
})
