/** How a peer that is connected and silent is found. */
import test from 'ava'
import type { HeartbeatSettings } from '../../../engine/reconnect/reconnecting-settings.js'
import { FakeTracked } from '../../helpers/fake-tracked-connection.js'
import { FakeReconnecting, texts } from '../../helpers/fake-reconnecting.js'
import { signal, turns } from '../../helpers/turns.js'

const WATCHDOG_MS = 20_000

const anyFrame: HeartbeatSettings = {
  intervalMs: 1000,
  timeoutMs: 300,
  ping: () => 'ping',
  isPong: undefined,
}
const pongs: HeartbeatSettings = { ...anyFrame, isPong: (frame) => String(frame) === 'pong' }

async function pass(fake: FakeReconnecting, ms: number): Promise<void> {
  fake.clock.advance(ms)
  await turns(2)
}

test('a silent peer is asked, and lost if it says nothing; what it had said before is still read', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ heartbeat: anyFrame })
  const got: string[] = []
  fake.reconnecting.subscribe((frame) => got.push(String(frame)))
  const connection = await fake.connect()
  connection.deliver('hello')
  await pass(fake, 1000)
  t.deepEqual(texts(connection.taken), [], 'it spoke: nothing to ask')
  await pass(fake, 1000)
  t.deepEqual(texts(connection.taken), ['ping'])
  connection.handOver()
  await pass(fake, 299)
  t.is(fake.reconnecting.state, 'connected')
  await pass(fake, 1)
  t.is(fake.reconnecting.state, 'waiting')
  t.deepEqual(connection.asked, ['cut'])
  t.like(fake.reports[0], { code: 'ERR_TIMEOUT', handedOver: 0, resent: 0 })
  t.deepEqual(got, ['hello'])
  const next = await fake.connect()
  t.deepEqual(texts(next.taken), [], 'a ping is never sent again')
})

test('any frame answers, also one that comes with the deadline', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ heartbeat: anyFrame })
  fake.reconnecting.subscribe(() => undefined)
  const connection = await fake.connect()
  for (let i = 0; i < 3; i++) {
    await pass(fake, 1000)
    t.is(connection.taken.length, i + 1)
    connection.handOver()
    // The timer fires first, and looks once more.
    fake.clock.advance(300)
    connection.deliver('late')
    await turns(2)
    t.is(fake.reconnecting.state, 'connected')
    await pass(fake, 0)
  }
})

test('where pongs are told from other frames, only a pong answers, and the reader does not get it', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ heartbeat: pongs })
  const got: string[] = []
  fake.reconnecting.subscribe((frame) => got.push(String(frame)))
  const connection = await fake.connect()
  for (let i = 0; i < 3; i++) {
    await pass(fake, 1000)
    connection.handOver()
    connection.deliver('update', 'pong')
    await pass(fake, 300)
    t.is(fake.reconnecting.state, 'connected')
  }
  t.deepEqual(got, ['update', 'update', 'update'])
  await pass(fake, 1000)
  connection.deliver('update')
  await pass(fake, 300)
  t.is(fake.reconnecting.state, 'waiting')
})

test('a receive() does not get a pong either, and goes on waiting', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ heartbeat: pongs })
  const connection = await fake.connect()
  connection.deliver('pong', 'a')
  t.is(String(await fake.reconnecting.receive()), 'a')
  const next = fake.reconnecting.receive()
  connection.deliver('pong')
  await turns(2)
  connection.deliver('b')
  t.is(String(await next), 'b')
  t.like(fake.reconnecting.info, { framesReceived: 2 })
})

test('without a reader, or with one that is held up, no peer is judged', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ heartbeat: anyFrame })
  const connection = await fake.connect()
  for (let i = 0; i < 3; i++) await pass(fake, 1300)
  t.is(fake.reconnecting.state, 'connected')
  const gate = signal()
  fake.reconnecting.subscribe(() => gate.promise)
  connection.deliver('a')
  for (let i = 0; i < 3; i++) await pass(fake, 1300)
  t.is(fake.reconnecting.state, 'connected')
  gate.resolve()
  for (let i = 0; i < 3; i++) await pass(fake, 1300)
  t.is(fake.dialler.connections.length, 1)
  t.not(fake.reconnecting.state, 'connected')
})

test('without a ping the peer has to speak by itself; behind frames that have not left none is sent', async (t) => {
  t.timeout(WATCHDOG_MS)
  const quiet = new FakeReconnecting({ heartbeat: { ...anyFrame, ping: undefined } })
  quiet.reconnecting.subscribe(() => undefined)
  const connection = await quiet.connect()
  await pass(quiet, 1300)
  t.deepEqual(connection.taken, [])
  t.is(quiet.reconnecting.state, 'waiting')
  const stuck = new FakeReconnecting({ heartbeat: anyFrame })
  stuck.reconnecting.subscribe(() => undefined)
  const full = await stuck.connect()
  stuck.reconnecting.send('a')
  await pass(stuck, 1300)
  t.deepEqual(texts(full.taken), ['a'])
  t.is(stuck.reconnecting.state, 'waiting')
  t.deepEqual(texts((await stuck.connect()).taken), ['a'])
})

test('pings are not counted as frames of the user, wherever they lie', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ heartbeat: anyFrame })
  fake.reconnecting.subscribe(() => undefined)
  const connection = await fake.connect()
  fake.reconnecting.send('a')
  connection.handOver()
  await pass(fake, 1000)
  fake.reconnecting.send('b')
  fake.reconnecting.send('c')
  t.deepEqual(texts(connection.taken), ['a', 'ping', 'b', 'c'])
  connection.lose('OK', 2)
  await turns(2)
  t.like(fake.reports[0], { handedOver: 1, resent: 1 })
  t.deepEqual(texts(fake.reports[0]?.unconfirmed ?? []), ['b'])
  t.deepEqual(texts((await fake.connect()).taken), ['c'])
})

test('timers run only while it is connected, and keep no process alive', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ heartbeat: anyFrame })
  await fake.dialled()
  t.is(fake.clock.armed, 0)
  const connection = await fake.connect()
  t.is(fake.clock.armed, 1)
  t.is(fake.clock.keepingAlive, 0)
  fake.reconnecting.destroy()
  await fake.reconnecting.closed
  t.is(fake.clock.armed, 0)
  t.true(connection.isOver)
})

test('callbacks of the heartbeat that fail destroy the connection', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fail = (): never => {
    throw new Error('no ping')
  }
  const asking = new FakeReconnecting({ heartbeat: { ...anyFrame, ping: fail } })
  await asking.connect()
  await pass(asking, 1000)
  t.is((await asking.reconnecting.closed).code, 'ERR_HANDLER')
  t.deepEqual(asking.failures.takeTold(), ['heartbeat: no ping'])
  const judging = new FakeReconnecting({ heartbeat: { ...anyFrame, isPong: fail } })
  const connection = await judging.connect(new FakeTracked())
  judging.reconnecting.subscribe(() => undefined)
  connection.deliver('a')
  t.is((await judging.reconnecting.closed).code, 'ERR_HANDLER')
  t.deepEqual(judging.failures.takeTold(), ['heartbeat: no ping'])
})
