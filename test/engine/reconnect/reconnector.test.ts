/** The life of a reconnecting connection, over connections that the test makes and loses. */
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { FrameBatch } from '../../../engine/common/connection.js'
import type { ConnectedInfo, LossReport } from '../../../engine/reconnect/reconnecting-settings.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { FakeTracked } from '../../helpers/fake-tracked-connection.js'
import { FakeReconnecting, texts } from '../../helpers/fake-reconnecting.js'
import { signal, turns } from '../../helpers/turns.js'

const WATCHDOG_MS = 20_000

test('it connects by itself, says so, and is what it says', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  t.is(reconnecting.state, 'connecting')
  const connected = reconnecting.connected()
  await fake.connect()
  await connected
  await reconnecting.connected()
  t.is(reconnecting.state, 'connected')
  t.is(reconnecting.attempts, 1)
  t.deepEqual(reconnecting.capabilities, { halfClose: true })
  t.like(reconnecting.info, { kind: 'fake', endpoint: 'fake:peer', shard: 0, framesSent: 0 })
  t.is(fake.keepsAlive, 1)
  t.is(reconnecting.unref(), reconnecting)
  t.is(fake.keepsAlive, 0)
  reconnecting.ref().ref()
  t.is(fake.keepsAlive, 1)
  t.deepEqual(fake.states, ['connected'])
})

test('frames sent before there is a connection go out on it first, in order', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  t.false(reconnecting.send('one'))
  t.false(reconnecting.send(['t', 'wo']))
  t.is(reconnecting.pendingBytes, 14)
  let isReady = false
  const ready = reconnecting.ready().then(() => {
    isReady = true
  })
  await turns(2)
  t.false(isReady)
  const connection = await fake.connect()
  await ready
  t.true(reconnecting.send('three'))
  t.deepEqual(texts(connection.taken), ['one', 'two', 'three'])
  t.like(reconnecting.info, { framesSent: 3, bytesSent: 11 })
})

test('what queues up while there is no connection is bounded, and checked as a connection would', (t) => {
  const { reconnecting } = new FakeReconnecting({ framing: { kind: 'line', delimiter: 0x0a } })
  throws(t, () => reconnecting.send(Buffer.alloc(1001)), 'ERR_FRAME_TOO_LARGE')
  throws(t, () => reconnecting.send('a\nb'), 'ERR_INVALID_FRAME')
  throws(t, () => reconnecting.send(7 as unknown as string), 'ERR_INVALID_FRAME')
  reconnecting.send(Buffer.alloc(900, 'x'))
  throws(t, () => reconnecting.send(Buffer.alloc(200, 'x')), 'ERR_BACKPRESSURE')
  reconnecting.send('a')
  t.is(reconnecting.info.framesSent, 2)
  reconnecting.destroy()
})

test('a batch waits whole for a connection, goes to the one there is, and is refused whole', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  t.false(reconnecting.sendBatch(['one', ['t', 'wo']]))
  t.is(reconnecting.pendingBytes, 14)
  throws(t, () => reconnecting.sendBatch(['x', Buffer.alloc(1001)]), 'ERR_FRAME_TOO_LARGE')
  throws(t, () => reconnecting.sendBatch('text' as unknown as string[]), 'ERR_INVALID_FRAME')
  throws(t, () => reconnecting.sendBatch([Buffer.alloc(600), Buffer.alloc(600)]), 'ERR_BACKPRESSURE')
  const connection = await fake.connect()
  t.true(reconnecting.sendBatch(['three', Buffer.from('four')]))
  t.deepEqual(texts(connection.taken), ['one', 'two', 'three', 'four'])
  connection.handOver(4)
  connection.lose('ERR_RESET', 0)
  // Before it knows.
  t.false(reconnecting.sendBatch(['five', 'six']))
  t.like(reconnecting.info, { framesSent: 6, bytesSent: 22 })
  reconnecting.destroy()
  throws(t, () => reconnecting.sendBatch(['late']), 'ERR_CLOSED')
})

test('a frame whose parts end it while they are looked at is refused', (t) => {
  const { reconnecting } = new FakeReconnecting()
  const parts = Object.defineProperty(['one', 'to be replaced'], 1, {
    get: () => {
      void reconnecting.close()
      return 'two'
    },
  })
  throws(t, () => reconnecting.send(parts), 'ERR_CLOSED')
  t.like(reconnecting.info, { framesSent: 0, bytesSent: 0 })
})

test('a queue that is longer than the connection has room for goes out as room comes', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  for (let i = 0; i < 6; i++) reconnecting.send(String(i))
  const connection = new FakeTracked()
  connection.room = 2
  connection.limit = 3
  await fake.connect(connection)
  t.deepEqual(texts(connection.taken), ['0', '1'])
  // One behind those that wait.
  t.false(reconnecting.send('6'))
  const ready = reconnecting.ready()
  for (let i = 0; i < 8; i++) {
    connection.handOver()
    await turns(2)
  }
  await ready
  t.deepEqual(texts(connection.taken), ['0', '1', '2', '3', '4', '5', '6'])
})

test('after a loss unsent frames go first, unconfirmed ones are reported, and newer ones follow', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  const first = await fake.connect()
  for (const frame of ['a', 'b', 'c', 'd', 'e']) reconnecting.send(frame)
  first.handOver(2)
  first.lose('ERR_RESET', 1)
  // Before it knows.
  t.false(reconnecting.send('f'))
  await turns(2)
  t.is(reconnecting.state, 'waiting')
  t.is(fake.reports.length, 1)
  const [report] = fake.reports
  t.like(report, {
    connection: 1,
    code: 'ERR_RESET',
    isFinal: false,
    handedOver: 2,
    resent: 2,
    unreadDropped: 0,
  })
  t.deepEqual(texts(report?.unconfirmed ?? []), ['c'])
  t.deepEqual(report?.dropped, [])
  reconnecting.send('g')
  const second = await fake.connect()
  t.deepEqual(texts(second.taken), ['d', 'e', 'f', 'g'])
  t.deepEqual(fake.states, ['connected', 'waiting', 'connecting', 'connected'])
})

test('unsent frames are dropped and reported where that is wanted', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ unsent: 'drop' })
  const { reconnecting } = fake
  const first = await fake.connect()
  for (const frame of ['a', 'b', 'c']) reconnecting.send(frame)
  first.handOver(1)
  first.lose('ERR_SHARD_LOST')
  await turns(2)
  reconnecting.send('d')
  t.deepEqual(texts(fake.reports[0]?.dropped ?? []), ['b', 'c'])
  t.is(fake.reports[0]?.resent, 0)
  t.deepEqual(texts((await fake.connect()).taken), ['d'])
})

test('pauses grow while attempts fail, and start anew only after a stable connection', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const pauses = (): number[] => fake.clock.asked.splice(0).filter((ms) => ms !== 500)
  for (let i = 0; i < 3; i++) await fake.refuse()
  t.deepEqual(pauses(), [100, 300, 900])
  const unstable = await fake.connect()
  t.is(fake.reconnecting.attempts, 4)
  fake.clock.advance(4999)
  unstable.lose('OK')
  await turns(2)
  t.deepEqual(pauses(), [1000])
  const stable = await fake.connect()
  fake.clock.advance(5000)
  stable.lose('OK')
  await turns(2)
  t.is(fake.reconnecting.attempts, 0)
  t.deepEqual(pauses(), [100])
})

test('it gives up after so many attempts, with the last failure as the cause', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ maxAttempts: 3 })
  const { reconnecting } = fake
  reconnecting.send('never')
  const connected = reconnecting.connected()
  const received = reconnecting.receive()
  for (let i = 0; i < 3; i++) await fake.refuse('ERR_NOT_FOUND')
  const { code, cause } = await reconnecting.closed
  t.is(code, 'ERR_GAVE_UP')
  t.is((cause?.cause as TransportError).code, 'ERR_NOT_FOUND')
  t.is(reconnecting.state, 'closed')
  await rejects(t, connected, 'ERR_CLOSED')
  await rejects(t, received, 'ERR_GAVE_UP')
  await rejects(t, reconnecting.receive(), 'ERR_GAVE_UP')
  await rejects(t, reconnecting.ready(), 'ERR_CLOSED')
  throws(t, () => reconnecting.send('x'), 'ERR_CLOSED')
  t.is(fake.keepsAlive, 0)
  t.is(fake.clock.armed, 0)
  t.is(fake.endings.length, 1)
  // The report has what never left.
  t.like(fake.reports[0], { connection: 0, code: 'ERR_GAVE_UP', isFinal: true })
  t.deepEqual(texts(fake.reports[0]?.dropped ?? []), ['never'])
})

test('connections that do not last count as attempts', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ maxAttempts: 2 })
  for (let i = 0; i < 2; i++) (await fake.connect()).lose('OK')
  await turns(2)
  t.is((await fake.reconnecting.closed).code, 'ERR_GAVE_UP')
  t.deepEqual(
    fake.reports.map(({ isFinal }) => isFinal),
    [false, true],
  )
})

test('it gives up when its time is over, in the middle of a pause and in the middle of a dial', async (t) => {
  t.timeout(WATCHDOG_MS)
  const pausing = new FakeReconnecting({ maxElapsedMs: 250 })
  await pausing.refuse()
  pausing.clock.advance(100)
  await pausing.refuse()
  pausing.clock.advance(150)
  t.is((await pausing.reconnecting.closed).code, 'ERR_GAVE_UP')
  const dialling = new FakeReconnecting({ maxElapsedMs: 250 })
  await dialling.refuse()
  await dialling.dialled()
  t.deepEqual(dialling.dialler.timeouts, [250, 150])
  dialling.clock.advance(150)
  dialling.dialler.refuse('ERR_TIMEOUT')
  t.is((await dialling.reconnecting.closed).code, 'ERR_GAVE_UP')
})

test('a connection that has outlasted maxElapsedMs is stable, also where stableMs is longer', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ maxElapsedMs: 1000 })
  const connection = await fake.connect()
  fake.clock.advance(1000)
  connection.lose('OK')
  await fake.connect()
  t.is(fake.reconnecting.state, 'connected')
})

for (const code of ['OK', 'ERR_RESET', 'ERR_SHARD_LOST', 'ERR_EXIT', 'ERR_TRUNCATED', 'ERR_IO'] as const) {
  test(`a connection that ends with ${code} is replaced`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const fake = new FakeReconnecting()
    ;(await fake.connect()).lose(code)
    await fake.connect()
    t.is(fake.reconnecting.state, 'connected')
    t.is(fake.reports[0]?.code, code)
  })
}

for (const code of ['ERR_FRAMING', 'ERR_FRAME_TOO_LARGE', 'ERR_ABORTED', 'ERR_ENGINE_CLOSED'] as const) {
  test(`a connection that ends with ${code} is the end: no other would fare better`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const fake = new FakeReconnecting()
    const connection = await fake.connect()
    fake.reconnecting.send('a')
    connection.lose(code)
    t.is((await fake.reconnecting.closed).code, code)
    t.deepEqual(texts(fake.reports[0]?.dropped ?? []), ['a'])
    t.true(fake.reports[0]?.isFinal)
    t.is(fake.dialler.pending, 0)
  })
}

test('a dial that no retry can mend is the end', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  await fake.refuse('ERR_REFUSED')
  await fake.refuse('ERR_ACCESS')
  t.is((await fake.reconnecting.closed).code, 'ERR_ACCESS')
})

test('a first attempt that fails is the end where that is wanted, a later one is not', async (t) => {
  t.timeout(WATCHDOG_MS)
  const failing = new FakeReconnecting({ firstConnect: 'fail-fast' })
  await failing.refuse('ERR_NOT_FOUND')
  t.is((await failing.reconnecting.closed).code, 'ERR_NOT_FOUND')
  const later = new FakeReconnecting({ firstConnect: 'fail-fast' })
  ;(await later.connect()).lose('OK')
  await later.refuse('ERR_NOT_FOUND')
  await later.connect()
  t.is(later.reconnecting.state, 'connected')
})

test('each connection is greeted before frames that wait go out, with what became of the one before', async (t) => {
  t.timeout(WATCHDOG_MS)
  const greetings: ConnectedInfo[] = []
  const answer = [signal(), signal()]
  const fake = new FakeReconnecting({
    onConnected: async (connection, info) => {
      connection.send(`hello ${String(info.isFirst)}`)
      await answer[greetings.push(info) - 1]?.promise
    },
  })
  const { reconnecting } = fake
  reconnecting.send('a')
  const first = await fake.connect()
  t.is(reconnecting.state, 'connecting')
  t.deepEqual(texts(first.taken), ['hello true'])
  answer[0]?.resolve()
  await turns(2)
  t.deepEqual(texts(first.taken), ['hello true', 'a'])
  reconnecting.send('b')
  // The greeting left, and nothing else: it is not the user's frame, so it is neither counted nor repeated.
  first.handOver(1)
  first.lose('ERR_RESET', 1)
  const second = await fake.connect()
  answer[1]?.resolve()
  await turns(2)
  t.deepEqual(texts(second.taken), ['hello false', 'b'])
  t.like(greetings[0], { attempt: 1, isFirst: true, loss: undefined })
  t.like(greetings[1], { attempt: 2, isFirst: false })
  t.is(greetings[1]?.loss, fake.reports[0])
  t.like(fake.reports[0], { handedOver: 0, resent: 1 })
  t.deepEqual(texts(fake.reports[0]?.unconfirmed ?? []), ['a'])
  t.true(greetings.every(({ signal: over }) => over.aborted))
})

test('a greeting that has not left with its connection is not sent again', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ onConnected: (connection) => connection.send('hello') })
  const first = await fake.connect()
  fake.reconnecting.send('a')
  first.lose('OK')
  await turns(2)
  t.like(fake.reports[0], { handedOver: 0, resent: 1, unconfirmed: [] })
  t.deepEqual(texts((await fake.connect()).taken), ['hello', 'a'])
})

test('a greeting that fails, hangs, loses its connection or goes on reading is a failed attempt', async (t) => {
  t.timeout(WATCHDOG_MS)
  const ways: ((connection: FakeTracked) => unknown)[] = [
    () => {
      throw new TransportError('ERR_ACCESS', 'not you')
    },
    () => Promise.reject(new Error('not now')),
    () => new Promise(() => undefined),
    (connection) => {
      connection.lose('OK')
      return new Promise(() => undefined)
    },
    (connection) => void connection.subscribe(() => undefined),
  ]
  const greeted = [...ways]
  const fake = new FakeReconnecting({ onConnected: (connection) => greeted.shift()?.(connection) })
  for (let i = 0; i < ways.length; i++) {
    const connection = await fake.connect()
    if (i === 2) {
      t.is(fake.reconnecting.state, 'connecting')
      fake.clock.advance(500)
      await turns(2)
    }
    t.is(fake.reconnecting.state, 'waiting', String(i))
    t.true(connection.isOver)
  }
  t.is(fake.reconnecting.attempts, ways.length)
  await fake.connect()
  t.is(fake.reconnecting.state, 'connected')
  t.deepEqual(fake.reports, [])
})

test('the report comes between the last frame of one connection and the first of the next', async (t) => {
  t.timeout(WATCHDOG_MS)
  const order: string[] = []
  const fake = new FakeReconnecting({ onLoss: ({ connection }) => order.push(`lost ${String(connection)}`) })
  const { reconnecting } = fake
  const first = await fake.connect()
  first.deliver('a', 'b')
  first.lose('OK')
  const second = await fake.connect()
  second.deliver('c')
  await turns(2)
  t.deepEqual(order, [])
  for (let i = 0; i < 3; i++) order.push(String(await reconnecting.receive()))
  t.deepEqual(order, ['a', 'b', 'lost 1', 'c'])
  t.like(reconnecting.info, { framesReceived: 3, bytesReceived: 3 })
})

test('a receive(), a loop and a subscription go on across losses', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  const pending = reconnecting.receive()
  ;(await fake.connect()).lose('OK')
  const second = await fake.connect()
  second.deliver('a', 'b')
  t.is(String(await pending), 'a')
  const looped: string[] = []
  const loop = (async () => {
    for await (const frame of reconnecting) {
      looped.push(String(frame))
      if (looped.length === 3) break
    }
  })()
  await turns(2)
  second.deliver('c')
  second.lose('OK')
  const third = await fake.connect()
  third.deliver('d', 'e', 'f')
  await loop
  t.deepEqual(looped, ['b', 'c', 'd'])
  const got: string[] = []
  const gates = new Map([['f', signal()]])
  const stop = reconnecting.subscribe((frame) => {
    got.push(String(frame))
    return gates.get(String(frame))?.promise
  })
  await rejects(t, reconnecting.receive(), 'ERR_CONSUMER_BUSY')
  await turns(2)
  third.deliver('g')
  third.lose('OK')
  const fourth = await fake.connect()
  fourth.deliver('h')
  await turns(2)
  t.deepEqual(got, ['e', 'f'])
  gates.get('f')?.resolve()
  await turns(2)
  t.deepEqual(got, ['e', 'f', 'g', 'h'])
  stop()
  fourth.deliver('i')
  t.is(String(await reconnecting.receive()), 'i')
})

test('waits can be given up without losing a frame, and it goes on', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  const controller = new AbortController()
  const options = { signal: controller.signal }
  const waits = [reconnecting.connected(options), reconnecting.receive(options), reconnecting.ready(options)]
  await turns(2)
  controller.abort(new Error('enough'))
  for (const wait of waits) await rejects(t, wait, 'ERR_ABORTED')
  for (const wait of [reconnecting.connected(options), reconnecting.receive(options), reconnecting.ready(options)])
    await rejects(t, wait, 'ERR_ABORTED')
  const timed = [
    reconnecting.connected({ timeoutMs: 5 }),
    reconnecting.receive({ timeoutMs: 5 }),
    reconnecting.ready({ timeoutMs: 5 }),
  ]
  fake.clock.advance(5)
  for (const wait of timed) await rejects(t, wait, 'ERR_TIMEOUT')
  const connection = await fake.connect()
  const later = new AbortController()
  const receiving = reconnecting.receive({ signal: later.signal })
  await turns(2)
  later.abort()
  await rejects(t, receiving, 'ERR_ABORTED')
  connection.deliver('still here')
  t.is(String(await reconnecting.receive()), 'still here')
  await rejects(t, reconnecting.receive({ timeout: 5 } as object), 'ERR_INVALID_OPTION')
  await rejects(t, reconnecting.connected({ timeout: 5 } as object), 'ERR_INVALID_OPTION')
  await rejects(t, reconnecting.end({ timeout: 5 } as object), 'ERR_INVALID_OPTION')
  t.is(reconnecting.state, 'connected')
})

test('it reconnects without a reader, too, and keeps what a few connections left unread', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  for (let i = 1; i <= 7; i++) {
    const connection = await fake.connect()
    connection.deliver(`${String(i)}a`, `${String(i)}b`)
    connection.lose('OK')
    await turns(2)
  }
  t.deepEqual(
    fake.reports.map(({ connection, unreadDropped }) => [connection, unreadDropped]),
    [
      [1, 2],
      [2, 2],
      [3, 2],
    ],
  )
  const last = await fake.connect()
  last.deliver('8a')
  const got: string[] = []
  for (let i = 0; i < 9; i++) got.push(String(await reconnecting.receive()))
  t.deepEqual(got, ['4a', '4b', '5a', '5b', '6a', '6b', '7a', '7b', '8a'])
  t.deepEqual(
    fake.reports.slice(3).map(({ connection, unreadDropped }) => [connection, unreadDropped]),
    [
      [4, 0],
      [5, 0],
      [6, 0],
      [7, 0],
    ],
  )
})

test('a subscriber that is held up while older connections are dropped is not called twice at a time', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const gate = signal()
  let running = 0
  const got: string[] = []
  fake.reconnecting.subscribe(async (frame) => {
    t.is(++running, 1)
    got.push(String(frame))
    await gate.promise
    running--
  })
  for (let i = 1; i <= 7; i++) {
    const connection = await fake.connect()
    connection.deliver(`${String(i)}a`, `${String(i)}b`)
    await turns(2)
    connection.lose('OK')
    await turns(2)
  }
  t.deepEqual(got, ['1a'])
  gate.resolve()
  await turns(30)
  t.deepEqual(got, ['1a', '4a', '4b', '5a', '5b', '6a', '6b', '7a', '7b'])
})

test('a subscriber that throws or rejects destroys the connection', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const handler of [
    () => {
      throw new Error('cannot digest')
    },
    () => Promise.reject(new Error('cannot digest')),
  ]) {
    const fake = new FakeReconnecting()
    fake.reconnecting.subscribe(handler)
    const connection = await fake.connect()
    connection.deliver('poison')
    const { code, cause } = await fake.reconnecting.closed
    t.is(code, 'ERR_HANDLER')
    t.is((cause?.cause as Error).message, 'cannot digest')
    t.true(connection.isOver)
    t.is(fake.dialler.pending, 0)
  }
})

test('close() while connected closes the connection, and nothing is a loss', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  const connection = await fake.connect()
  reconnecting.send('a')
  const closing = reconnecting.close()
  t.is(reconnecting.state, 'closing')
  t.true(connection.asked.includes('close'))
  throws(t, () => reconnecting.send('b'), 'ERR_CLOSED')
  connection.deliver('last')
  connection.finishEnd()
  connection.lose('OK')
  t.deepEqual(await closing, { code: 'OK', cause: undefined })
  t.deepEqual(fake.reports, [])
  t.is(String(await reconnecting.receive()), 'last')
  t.is(await reconnecting.receive(), undefined)
  t.deepEqual(fake.states, ['connected', 'closing', 'closed'])
  t.is(fake.clock.armed, 0)
  t.deepEqual(await reconnecting.close(), { code: 'OK', cause: undefined })
})

test('close() with nothing to send ends an attempt, a pause, and what has not begun', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fresh = new FakeReconnecting()
  t.is((await fresh.reconnecting.close()).code, 'OK')
  await turns(2)
  t.is(fresh.dialler.pending, 0)
  const dialling = new FakeReconnecting()
  await dialling.dialled()
  t.is((await dialling.reconnecting.close()).code, 'OK')
  t.is(dialling.dialler.pending, 0)
  const pausing = new FakeReconnecting()
  await pausing.refuse()
  t.is((await pausing.reconnecting.close()).code, 'OK')
  for (const { clock, keepsAlive, reports } of [fresh, dialling, pausing]) {
    t.is(clock.armed, 0)
    t.is(keepsAlive, 0)
    t.deepEqual(reports, [])
  }
})

test('close() with frames that wait goes on trying until closeTimeoutMs, and reports what never left', async (t) => {
  t.timeout(WATCHDOG_MS)
  const late = new FakeReconnecting()
  await late.refuse()
  late.reconnecting.send('a')
  const closing = late.reconnecting.close()
  t.is(late.reconnecting.state, 'closing')
  late.clock.advance(199)
  await turns(2)
  t.is(late.dialler.pending, 1)
  late.clock.advance(1)
  t.is((await closing).code, 'ERR_TIMEOUT')
  t.like(late.reports[0], { connection: 0, code: 'ERR_TIMEOUT', isFinal: true })
  t.deepEqual(texts(late.reports[0]?.dropped ?? []), ['a'])
  const inTime = new FakeReconnecting()
  inTime.reconnecting.send('a')
  const done = inTime.reconnecting.close()
  const connection = await inTime.connect()
  t.deepEqual(texts(connection.taken), ['a'])
  connection.finishEnd()
  connection.lose('OK')
  t.is((await done).code, 'OK')
  t.deepEqual(inTime.reports, [])
})

test('however often connections are lost, close() is over after closeTimeoutMs', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({ backoff: { initialMs: 50, maxMs: 50, factor: 1, jitter: 'none' } })
  fake.reconnecting.send('a')
  const closing = fake.reconnecting.close()
  const start = fake.clock.now()
  for (let i = 0; i < 20 && fake.reconnecting.state !== 'closed'; i++) {
    if (fake.dialler.pending > 0) {
      fake.dialler.accept().lose('OK')
      await turns(2)
    }
    fake.clock.advance(50)
    await turns(2)
  }
  t.is((await closing).code, 'ERR_TIMEOUT')
  t.is(fake.clock.now() - start, 200)
  t.deepEqual(texts(fake.reports.at(-1)?.dropped ?? []), ['a'])
})

test('end() lets everything leave, also on the next connection, and it ends with its peer', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const { reconnecting } = fake
  const first = await fake.connect()
  reconnecting.send('a')
  reconnecting.send('b')
  let hasEnded = false
  const ending = reconnecting.end().then(() => {
    hasEnded = true
  })
  throws(t, () => reconnecting.send('c'), 'ERR_CLOSED')
  first.handOver(1)
  first.lose('ERR_RESET')
  await turns(2)
  t.false(hasEnded)
  const second = await fake.connect()
  t.deepEqual(texts(second.taken), ['b'])
  t.deepEqual(second.asked, ['end'])
  second.finishEnd()
  await ending
  second.deliver('answer')
  t.is(String(await reconnecting.receive()), 'answer')
  second.lose('OK')
  t.is((await reconnecting.closed).code, 'OK')
  t.is(await reconnecting.receive(), undefined)
  t.is(fake.reports.length, 1)
  await reconnecting.end()
})

test('destroy() ends each state at once, tells what never left, and every wait with it', async (t) => {
  t.timeout(WATCHDOG_MS)
  const prepare: Record<string, (fake: FakeReconnecting) => Promise<unknown>> = {
    fresh: () => Promise.resolve(),
    dialling: (fake) => fake.dialled(),
    pausing: (fake) => fake.refuse(),
    connected: (fake) => fake.connect(),
    closing: async (fake) => {
      await fake.connect()
      fake.reconnecting.send('x')
      void fake.reconnecting.close()
    },
  }
  for (const [name, reach] of Object.entries(prepare)) {
    const fake = new FakeReconnecting()
    const { reconnecting } = fake
    await reach(fake)
    if (name !== 'closing') reconnecting.send('x')
    const waits = [reconnecting.receive(), ...(name === 'closing' ? [] : [reconnecting.ready()])]
    if (name === 'connected') await turns(2)
    const settled = Promise.allSettled(waits)
    const reason = new TransportError('ERR_HANDLER', 'out')
    reconnecting.destroy(reason)
    reconnecting.destroy()
    const { code, cause } = await reconnecting.closed
    t.is(code, 'ERR_HANDLER', name)
    t.is(cause, reason, name)
    t.is((await settled)[0]?.status, 'rejected', name)
    t.is(fake.reports.length, 1, name)
    t.deepEqual(texts(fake.reports[0]?.dropped ?? []), ['x'], name)
    t.true(fake.reports[0]?.isFinal)
    await reconnecting.end()
    await reconnecting.close()
    await rejects(t, reconnecting.connected(), 'ERR_CLOSED')
    t.is(fake.clock.armed, 0, name)
    t.is(fake.keepsAlive, 0, name)
    t.is(fake.dialler.pending, 0, name)
    t.true(
      fake.dialler.connections.every(({ isOver }) => isOver),
      name,
    )
  }
})

test('a connection that comes when all is over is destroyed', async (t) => {
  t.timeout(WATCHDOG_MS)
  let answer: (connection: FakeTracked) => void = () => undefined
  const fake = new FakeReconnecting({
    // One that does not hear of aborts.
    dial: () =>
      new Promise((resolve) => {
        answer = resolve
      }),
  })
  await turns(2)
  await fake.reconnecting.close()
  const connection = new FakeTracked()
  answer(connection)
  await turns(2)
  t.true(connection.isOver)
})

test('a callback that closes, destroys or reads finds the connection in order', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const act of ['close', 'destroy'] as const) {
    const fake: FakeReconnecting = new FakeReconnecting({ onLoss: () => void fake.reconnecting[act]() })
    ;(await fake.connect()).lose('OK')
    t.is((await fake.reconnecting.closed).code, act === 'close' ? 'OK' : 'ERR_ABORTED')
    await turns(2)
    t.is(fake.dialler.pending, 0)
    t.is(fake.clock.armed, 0)
  }
  for (const state of ['connected', 'waiting', 'connecting'] as const) {
    const fake = new FakeReconnecting()
    fake.reconnecting.onStateChange((now) => {
      if (now === state) fake.reconnecting.destroy()
    })
    const connection = new FakeTracked()
    await fake.connect(connection)
    connection.lose('OK')
    await turns(2)
    fake.clock.advance(100)
    t.is((await fake.reconnecting.closed).code, 'ERR_ABORTED', state)
    t.is(fake.clock.armed, 0, state)
    await turns(2)
    t.is(fake.dialler.pending, 0, state)
  }
})

test('a listener that is not wanted any more is not called', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const heard: string[] = []
  const stop = fake.reconnecting.onStateChange((state) => heard.push(state))
  await fake.connect()
  stop()
  fake.reconnecting.destroy()
  t.deepEqual(heard, ['connected'])
  throws(t, () => fake.reconnecting.onStateChange(7 as unknown as () => void), 'ERR_INVALID_OPTION')
})

for (const [how, fail] of [
  [
    'throw',
    (what: string): never => {
      throw new Error(what)
    },
  ],
  ['reject', (what: string) => Promise.reject(new Error(what))],
] as const) {
  test(`callbacks that ${how} are reported, and the connection goes on`, async (t) => {
    t.timeout(WATCHDOG_MS)
    let greetings = 0
    const fake = new FakeReconnecting({
      onLoss: () => fail('no loss'),
      onConnected: () => (greetings++ === 0 ? fail('no greeting') : undefined),
    })
    const { reconnecting, failures } = fake
    let count = 0
    reconnecting.onStateChange(() => (count++ === 0 ? fail('no state') : undefined))
    await fake.dialled()
    fake.dialler.accept()
    await turns(2)
    t.deepEqual(failures.takeTold(), ['onConnected: no greeting', 'onStateChange: no state'])
    const connection = await fake.connect()
    t.is(reconnecting.state, 'connected')
    connection.lose('OK')
    await turns(3)
    const [{ error, context } = {}] = failures.take()
    t.is(error?.code, 'ERR_HANDLER')
    t.is((error?.cause as Error).message, 'no loss')
    t.deepEqual(context, { where: 'onLoss', endpoint: 'fake:peer', connection: reconnecting.info.id })
    await fake.connect()
    t.is(reconnecting.state, 'connected')
    reconnecting.destroy()
    await reconnecting.closed
  })
}

test('a greeting that fails with an error of ours is an attempt that failed, and nothing else', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({
    onConnected: () => Promise.reject(new TransportError('ERR_RESET', 'the peer cut the connection')),
  })
  await fake.dialled()
  fake.dialler.accept()
  await turns(2)
  t.is(fake.reconnecting.state, 'waiting')
  t.deepEqual(fake.failures.take(), [])
  fake.reconnecting.destroy()
})

test('a receive() that waits when isPong fails rejects with the end', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const isPong of [
    (): never => {
      throw new Error('no pong')
    },
    (): boolean => Promise.reject(new Error('no pong')) as unknown as boolean,
  ]) {
    const fake = new FakeReconnecting({
      heartbeat: { intervalMs: 1_000, timeoutMs: 1_000, ping: () => 'ping', isPong },
    })
    const receiving = rejects(t, fake.reconnecting.receive(), 'ERR_HANDLER')
    const connection = await fake.connect()
    connection.deliver('a')
    await receiving
    t.is((await fake.reconnecting.closed).code, 'ERR_HANDLER')
    t.deepEqual(
      fake.failures.take().map(({ context }) => context.where),
      ['heartbeat'],
    )
  }
})

test('a subscriber that stopped, reads on and then throws leaves no receive() waiting', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const reading = signal<unknown>()
  const stop = fake.reconnecting.subscribe(() => {
    stop()
    reading.resolve(fake.reconnecting.receive())
    throw new Error('cannot digest')
  })
  const connection = await fake.connect()
  connection.deliver('a')
  await rejects(t, reading.promise, 'ERR_HANDLER')
  t.deepEqual(fake.failures.takeTold(), ['subscriber: cannot digest'])
})

test('a subscription ends when isPong fails, and the next receive() rejects with the end', async (t) => {
  t.timeout(WATCHDOG_MS)
  const isPong = (): never => {
    throw new Error('no pong')
  }
  const fake = new FakeReconnecting({ heartbeat: { intervalMs: 1_000, timeoutMs: 1_000, ping: () => 'ping', isPong } })
  fake.reconnecting.subscribe(() => t.fail())
  const connection = await fake.connect()
  connection.deliver('a')
  t.is((await fake.reconnecting.closed).code, 'ERR_HANDLER')
  await rejects(t, fake.reconnecting.receive(), 'ERR_HANDLER')
  t.deepEqual(fake.failures.takeTold(), ['heartbeat: no pong'])
})

test('batches come across losses, without the frames that answer a ping, each counted once', async (t) => {
  t.timeout(WATCHDOG_MS)
  const isPong = (frame: Buffer): boolean => String(frame) === 'pong'
  const fake = new FakeReconnecting({ heartbeat: { intervalMs: 1_000, timeoutMs: 1_000, ping: () => 'ping', isPong } })
  const { reconnecting } = fake
  const seen: string[] = []
  const batches: FrameBatch[] = []
  reconnecting.subscribeBatch((batch) => {
    batches.push(batch)
    for (let i = 0; i < batch.length; i++) {
      const at = batch.offset(i)
      const own = String(batch.bytes.subarray(at, at + batch.size(i)))
      t.deepEqual([String(batch.frame(i)), String(batch.copy(i)), String([...batch][i])], [own, own, own])
      seen.push(own)
    }
    throws(t, () => batch.frame(batch.length), 'ERR_INVALID_OPTION')
    t.is(reconnecting.info.framesReceived, seen.length)
  })
  throws(t, () => reconnecting.subscribeBatch(() => undefined), 'ERR_CONSUMER_BUSY')
  const first = await fake.connect()
  first.deliver('a', 'pong', 'b')
  first.deliver('pong')
  first.lose('ERR_RESET')
  await turns(3)
  fake.clock.advance(100)
  const second = await fake.connect()
  second.deliver('c', 'd')
  t.deepEqual(seen, ['a', 'b', 'c', 'd'])
  t.is(reconnecting.info.bytesReceived, 4)
  t.deepEqual(
    batches.map(({ length }) => length),
    [2, 2],
  )
  throws(t, () => batches[0]?.size(0), 'ERR_INVALID_OPTION')
  reconnecting.destroy()
})

test('any frame of a batch is a sign of life where no frame answers a ping', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting({
    heartbeat: { intervalMs: 1_000, timeoutMs: 500, ping: undefined, isPong: undefined },
  })
  const seen: string[] = []
  fake.reconnecting.subscribeBatch((batch) => seen.push(...[...batch].map(String)))
  const connection = await fake.connect()
  for (let i = 0; i < 4; i++) {
    connection.deliver('a', 'b')
    fake.clock.advance(1_000)
  }
  await turns(2)
  t.is(fake.reconnecting.state, 'connected')
  t.is(seen.length, 8)
  fake.reconnecting.destroy()
})

test('a subscription to batches ends when isPong or its handler fails, and the connection with it', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fail = (): never => {
    throw new Error('no')
  }
  const heartbeat = { intervalMs: 1_000, timeoutMs: 1_000, ping: () => 'ping', isPong: fail }
  for (const [settings, where] of [
    [{ heartbeat }, 'heartbeat: no'],
    [{}, 'subscriber: no'],
  ] as const) {
    const fake = new FakeReconnecting(settings)
    let calls = 0
    fake.reconnecting.subscribeBatch(() => {
      calls++
      fail()
    })
    const connection = await fake.connect()
    connection.deliver('a', 'b')
    t.is((await fake.reconnecting.closed).code, 'ERR_HANDLER')
    t.is(calls, where.startsWith('subscriber') ? 1 : 0)
    t.deepEqual(fake.failures.takeTold(), [where])
  }
})

test('an isPong that ends the subscription loses no frame of the batch', async (t) => {
  t.timeout(WATCHDOG_MS)
  let stop = (): void => undefined
  const isPong = (frame: Buffer): boolean => {
    if (String(frame) !== 'pong') return false
    stop()
    return true
  }
  const fake = new FakeReconnecting({ heartbeat: { intervalMs: 1_000, timeoutMs: 1_000, ping: () => 'ping', isPong } })
  const { reconnecting } = fake
  const seen: string[] = []
  stop = reconnecting.subscribeBatch((batch) => seen.push(...[...batch].map(String)))
  const connection = await fake.connect()
  connection.deliver('a', 'pong', 'b')
  connection.deliver('c')
  t.deepEqual(seen, ['a', 'b'])
  t.is(String(await reconnecting.receive()), 'c')
  t.is(reconnecting.info.framesReceived, 3)
  reconnecting.destroy()
})

test('an isPong that destroys the connection has no frame given to the subscriber', async (t) => {
  t.timeout(WATCHDOG_MS)
  let asked = 0
  const isPong = (): boolean => {
    asked++
    reconnecting.destroy()
    return false
  }
  const fake = new FakeReconnecting({ heartbeat: { intervalMs: 1_000, timeoutMs: 1_000, ping: () => 'ping', isPong } })
  const { reconnecting } = fake
  reconnecting.subscribeBatch(() => t.fail('given'))
  const connection = await fake.connect()
  connection.deliver('a', 'b')
  t.is(asked, 1)
  t.is(reconnecting.info.framesReceived, 0)
  await reconnecting.closed
})

test('a promise holds the batches of the next connection back too', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const held = signal()
  const seen: string[] = []
  fake.reconnecting.subscribeBatch((batch) => {
    seen.push(...[...batch].map(String))
    return held.promise
  })
  const first = await fake.connect()
  first.deliver('a')
  first.lose('ERR_RESET')
  await turns(3)
  fake.clock.advance(100)
  const second = await fake.connect()
  second.deliver('b')
  await turns(3)
  t.deepEqual(seen, ['a'])
  held.resolve()
  await turns(3)
  t.deepEqual(seen, ['a', 'b'])
  fake.reconnecting.destroy()
})

test('a subscriber that makes way for another and throws after the end takes no frames from it', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const connection = await fake.connect()
  connection.deliver('a', 'b')
  const closing = fake.reconnecting.close()
  connection.lose('OK')
  await closing
  const second = signal<string>()
  const stop = fake.reconnecting.subscribe(() => {
    stop()
    fake.reconnecting.subscribe((frame) => second.resolve(String(frame)))
    throw new Error('cannot digest')
  })
  t.is(await second.promise, 'b')
  t.deepEqual(fake.failures.takeTold(), ['subscriber: cannot digest'])
})

test('a subscriber that has ended its subscription and rejects is reported, and the connection goes on', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  const stop = fake.reconnecting.subscribe(async () => {
    stop()
    await turns()
    throw new Error('cannot digest')
  })
  const connection = await fake.connect()
  connection.deliver('a', 'b')
  await turns(5)
  t.deepEqual(fake.failures.takeTold(), ['subscriber: cannot digest'])
  t.is(String(await fake.reconnecting.receive()), 'b')
  fake.reconnecting.destroy()
})

test('asynchronous disposal closes', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fake = new FakeReconnecting()
  await fake.reconnecting[Symbol.asyncDispose]()
  t.is(fake.reconnecting.state, 'closed')
  const reports: readonly LossReport[] = fake.reports
  t.deepEqual(reports, [])
})
