/** A connection whose frames are JSON: what goes through, what is refused, and what becomes of frames that are none. */
import test from 'ava'
import { json, type Adaptable, type JsonOptions } from '../../../api/adapters/index.js'
import { JsonFrames } from '../../../api/adapters/json/json.js'
import type { TransportError } from '../../../api/index.js'
import { adapterPairs } from '../../helpers/adapter-pairs.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { randomName } from '../../helpers/temporary-folder.js'
import { signal } from '../../helpers/turns.js'

const { engine, failures, pair } = adapterPairs()

const values = [{ a: [1, 'zwei\n', null, true, { '\f': '\u{1f40c}' }] }, null, 0, '', 'x'.repeat(70_000), []]

for (const framing of ['length', 'line', 'nul', 'content-length'] as const) {
  pair(
    `${framing}: values go through, and undefined is the end`,
    async (t, { near, far }) => {
      const here = json(near)
      const there = json(far)
      const sending = (async () => {
        for (const value of values) if (!here.send(value)) await here.ready()
        await here.end()
      })()
      for (const value of values) t.deepEqual(await there.receive(), value)
      t.is(await there.receive(), undefined)
      await sending
      t.is((await here.closed).code, 'OK')
    },
    { framing },
  )
}

pair('loops and subscriptions get values, and end as those of connections do', async (t, { near, far }) => {
  const here = json<number, number>(near)
  const there = json<number, number>(far)
  const stop = there.subscribe(async (value) => {
    await Promise.resolve()
    there.send(value + 1)
  })
  throws(t, () => there.subscribe(() => undefined), 'ERR_CONSUMER_BUSY')
  for (let i = 0; i < 5; i++) here.send(i)
  const got: number[] = []
  for await (const value of here) if (got.push(value) === 5) break
  t.deepEqual(got, [1, 2, 3, 4, 5])
  stop()
  // Another consumer may follow both.
  here.send(9)
  t.is(await there.receive(), 9)
  await rejects(t, there.receive({ signal: AbortSignal.abort() }), 'ERR_ABORTED')
  await Promise.all([here.close(), there.close()])
  for await (const value of here) t.fail(String(value))
})

pair('what JSON cannot say is refused, and nothing of it is sent', async (t, { near, far }) => {
  const here = json(near)
  const circle: Record<string, unknown> = {}
  circle['circle'] = circle
  const thrown = new Error('no')
  const hostile = {
    toJSON() {
      throw thrown
    },
  }
  for (const value of [undefined, () => 1, Symbol('s'), 1n, circle, hostile]) {
    const error = throws(t, () => here.send(value), 'ERR_INVALID_FRAME')
    t.is(error.endpoint, near.info.endpoint)
  }
  t.is(throws(t, () => here.send(hostile), 'ERR_INVALID_FRAME').cause, thrown)
  t.is(near.info.framesSent, 0)
  // As JSON has it.
  here.send({ left: undefined, nan: NaN })
  t.deepEqual(await json(far).receive(), { nan: null })
})

const bad: Readonly<Record<string, string | Uint8Array>> = {
  'no JSON': '{"half":',
  'an empty frame': '',
  'bytes that are no UTF-8': Uint8Array.from([0x22, 0xff, 0x22]),
  'a key __proto__': '{"a":[{"__proto__":{"admin":true}}]}',
  'the same key, escaped': String.raw`{"\u005f_pr\u006fto__":{"admin":true}}`,
  'a value that is too deep': `${'[ '.repeat(1_001)}${']'.repeat(1_001)}`,
  'one that is far too deep': '['.repeat(1_000_000),
  'one that is too deep, and no JSON': `"${'\\"'.repeat(600)}" ${'{"a":'.repeat(1_001)}`,
}

for (const [what, frame] of Object.entries(bad)) {
  pair(`${what} is ERR_INVALID_MESSAGE, and the next value still arrives`, async (t, { near, far }) => {
    const here = json(near)
    far.send(frame)
    far.send('"fine"')
    const error = await rejects(t, here.receive(), 'ERR_INVALID_MESSAGE')
    t.is(error.endpoint, near.info.endpoint)
    t.is(await here.receive(), 'fine')
  })
}

pair('what only looks like that is taken', async (t, { near, far }) => {
  const here = json(near, { maxDepth: 2 })
  const fine = ['[[1],[2],{"a":"[[[[{{{{"}]', '["a\\\\",["\\"[[[["]]', '{"b":"__proto__ and \\u005f"}', '[["]"],["}"]]']
  for (const frame of fine) far.send(frame)
  for (const frame of fine) t.deepEqual(await here.receive(), JSON.parse(frame))
  far.send('[[["too deep"]]]')
  t.regex((await rejects(t, here.receive(), 'ERR_INVALID_MESSAGE')).message, /2 levels deep \(maxDepth\)/)
  // A value of the default depth, which is read without looking at it first if it is short.
  far.send(`${'['.repeat(1_000)}${']'.repeat(1_000)}`)
  t.true(Array.isArray(await json(near).receive()))
})

const isEven = (value: unknown): number => {
  if (typeof value !== 'number' || value % 2 !== 0) throw new Error('it is not even')
  return value
}

pair('validate() says what a value is, or why it is none', async (t, { near, far }) => {
  const there = json(far)
  const here = json(near, { validate: isEven })
  there.send(1)
  there.send(2)
  const error = await rejects(t, here.receive(), 'ERR_INVALID_MESSAGE')
  t.is((error.cause as Error).message, 'it is not even')
  const two: number | undefined = await here.receive()
  t.is(two, 2)
  const forgetful = json(near, { validate: () => undefined })
  const late = json(near, { validate: () => Promise.reject(new Error('too late')) })
  there.send(3)
  there.send(4)
  t.regex((await rejects(t, forgetful.receive(), 'ERR_INVALID_MESSAGE')).message, /undefined/)
  const { cause } = await rejects(t, late.receive(), 'ERR_INVALID_MESSAGE')
  t.regex((cause as Error).message, /at once/)
})

pair('onInvalid takes bad frames, and everything else goes on', async (t, { near, far }) => {
  const errors: TransportError[] = []
  const here = json<unknown, number>(near, { validate: isEven, onInvalid: (error) => errors.push(error) })
  const send = (): void => {
    for (const frame of ['1', 'no JSON', '2']) far.send(frame)
  }
  send()
  t.is(await here.receive(), 2)
  send()
  for await (const value of here) {
    t.is(value, 2)
    break
  }
  const got = signal<number>()
  here.subscribe(got.resolve)
  send()
  t.is(await got.promise, 2)
  t.deepEqual(
    errors.map(({ code }) => code),
    Array<string>(6).fill('ERR_INVALID_MESSAGE'),
  )
})

pair('without it a bad frame ends a subscription with the connection', async (t, { near, far }) => {
  const got: unknown[] = []
  json(near).subscribe((value) => got.push(value))
  for (const frame of ['1', 'no JSON', '2']) far.send(frame)
  const { code, cause } = await near.closed
  t.is(code, 'ERR_INVALID_MESSAGE')
  t.true(cause?.cause instanceof SyntaxError)
  t.deepEqual(got, [1])
})

pair('an onInvalid that fails destroys the connection', async (t, { near, far }) => {
  const onInvalid = (): never => {
    throw new Error('cannot log')
  }
  json(near, { onInvalid }).subscribe(() => undefined)
  far.send('no JSON')
  t.is((await near.closed).code, 'ERR_HANDLER')
  t.deepEqual(failures.takeTold(), ['adapter: cannot log'])
})

test('a wait that passes a bad frame over ends when it would have ended', async (t) => {
  const clock = new FakeClock()
  const asked: (number | undefined)[] = []
  const frames = ['bad', 'bad', '1']
  const connection = {
    closed: new Promise(() => undefined),
    info: { endpoint: 'fake:peer' },
    receive: async ({ timeoutMs }: { timeoutMs?: number }) => {
      asked.push(timeoutMs)
      clock.advance(30)
      return Promise.resolve(Buffer.from(frames.shift() ?? ''))
    },
  } as unknown as Adaptable
  const here = new JsonFrames(connection, { onInvalid: () => undefined }, clock)
  t.is(await here.receive({ timeoutMs: 50 }), 1)
  t.deepEqual(asked, [50, 20, 0])
})

pair('options are checked', async (t, { near }) => {
  for (const options of [{ maxDepth: 0 }, { maxDepth: 10_001 }, { validate: 1 }, { onInvalid: {} }, { depth: 1 }, null])
    throws(t, () => json(near, options as unknown as JsonOptions), 'ERR_INVALID_OPTION')
  await rejects(t, json(near).receive(null as never), 'ERR_INVALID_OPTION')
})

test.serial('reconnecting connections and leases carry values too', async (t) => {
  t.timeout(20_000)
  const transport = engine().transport(`memory:${randomName()}`)
  const listener = await transport.listen((accepted) => {
    const peer = json<unknown, { ask: number }>(accepted)
    peer.subscribe(({ ask }) => peer.send({ answer: ask }))
  })
  await using reconnecting = transport.reconnecting()
  await using here = json(reconnecting)
  here.send({ ask: 1 })
  t.deepEqual(await here.receive(), { answer: 1 })
  const pool = transport.pool({ max: 1 })
  const lease = await pool.acquire()
  const leased = json(lease.connection)
  leased.send({ ask: 2 })
  t.deepEqual(await leased.receive(), { answer: 2 })
  lease.release()
  throws(t, () => leased.send({ ask: 3 }), 'ERR_LEASE_ENDED')
  await rejects(t, leased.receive(), 'ERR_LEASE_ENDED')
  t.is(pool.stats().idle, 1)
  await pool.close()
  await here.close()
  await listener.close()
})
