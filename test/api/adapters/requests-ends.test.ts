/** Requests over connections that end, are lost, or lead to a peer that speaks nonsense. Everything settles. */
import test from 'ava'
import { requests } from '../../../api/adapters/index.js'
import { TransportError, type Connection } from '../../../api/index.js'
import { adapterPairs } from '../../helpers/adapter-pairs.js'
import { rejects } from '../../helpers/expected-errors.js'
import { receiveMany } from '../../helpers/frames.js'
import { randomName } from '../../helpers/temporary-folder.js'
import { signal, turns, until } from '../../helpers/turns.js'

const { engine, pair } = adapterPairs()

const message = (rest: object): string => JSON.stringify({ jsonrpc: '2.0', ...rest })

const hostile: Readonly<Record<string, string>> = {
  'no JSON': 'GET / HTTP/1.1',
  'JSON that is too deep': '['.repeat(100_000),
  'a text': '"hello"',
  null: 'null',
  'a batch': `[${message({ id: 1, method: 'echo' })}]`,
  'another version': JSON.stringify({ jsonrpc: '1.0', id: 1, method: 'echo' }),
  'a method that is no text': message({ id: 1, method: 5 }),
  'params that are a text': message({ id: 1, method: 'echo', params: 'x' }),
  'an id that is an object': message({ id: {}, method: 'echo' }),
  'neither method nor result': message({ id: 1 }),
  'an answer without an id': message({ result: 1 }),
  'an error that is a text': message({ id: 1, error: 'no' }),
  'a cancelled nothing': message({ method: '$/cancelRequest' }),
}

for (const [what, frame] of Object.entries(hostile)) {
  pair(`${what} is no message: it ends the connection, or is passed over`, async (t, { near, far }) => {
    const seen: string[] = []
    const there = requests(far, {
      onInvalid: ({ code }) => seen.push(code),
      handlers: { echo: (params: object) => params },
    })
    near.send(frame)
    near.send(message({ id: 'a', method: 'echo', params: [1] }))
    const [answer] = await receiveMany(near, 1)
    t.deepEqual(JSON.parse(String(answer)), { jsonrpc: '2.0', id: 'a', result: [1] })
    t.deepEqual(seen, ['ERR_INVALID_MESSAGE'])
    t.is(there.atWork, 0)

    const here = requests(near)
    const call = here.call('never')
    far.send(frame)
    const error = await rejects(t, call, 'ERR_INVALID_MESSAGE')
    t.regex(error.message, /may have arrived/)
    t.is((await near.closed).code, 'ERR_INVALID_MESSAGE')
    t.is((await rejects(t, here.call('late'), 'ERR_CLOSED')).cause, error.cause)
  })
}

pair('an id that is used twice at a time is no message', async (t, { near, far }) => {
  const gate = signal()
  const seen: string[] = []
  requests(far, { onInvalid: ({ message: text }) => seen.push(text), handlers: { wait: () => gate.promise } })
  near.send(message({ id: 1, method: 'wait' }))
  near.send(message({ id: 1, method: 'wait' }))
  await until(() => seen.length === 1)
  t.regex(seen.join(), /id of a request that is being worked on/)
  gate.resolve()
  await receiveMany(near, 1)
  // Once it is answered it may be used again, as it is by no one else.
  near.send(message({ id: 1, method: 'wait' }))
  await receiveMany(near, 1)
  const other = requests(near)
  other.notify('wait')
  t.is(far.info.framesSent, 2)
})

pair('answers to unknown ids, second answers and late cancellations change nothing', async (t, { near, far }) => {
  const here = requests(near, { handlers: { echo: (params: object) => params } })
  const call = here.call('one')
  const { id } = JSON.parse(String((await receiveMany(far, 1))[0])) as { id: string }
  for (const unknown of [1, 'x', `${id}0`, '__proto__']) {
    far.send(message({ id: unknown, result: 'wrong' }))
    far.send(message({ id: unknown, error: { code: 1, message: 'wrong' } }))
    far.send(message({ method: '$/cancelRequest', params: { id: unknown } }))
  }
  far.send(message({ id: null, error: { code: -32_700, message: 'parse error' } }))
  far.send(message({ id, result: 'right' }))
  far.send(message({ id, result: 'again' }))
  t.is(await call, 'right')
  far.send(message({ id: 7, method: 'echo', params: {} }))
  await receiveMany(far, 1)
  far.send(message({ method: '$/cancelRequest', params: { id: 7 } }))
  far.send(message({ id: 8, method: 'echo', params: {} }))
  t.is((JSON.parse(String((await receiveMany(far, 1))[0])) as { id: number }).id, 8)
})

pair('calls settle at the end, whatever handlers still work on', async (t, { near, far }) => {
  const here = requests(near, { maxPending: 1, handlers: { never: () => new Promise<never>(() => undefined) } })
  const call = here.call('x')
  await receiveMany(far, 1)
  for (let i = 0; i < 3; i++) far.send(message({ method: 'never' }))
  await near.close()
  await rejects(t, call, 'ERR_RESET')
})

const MANY = 10_000

for (const [how, count, end, code] of [
  ['its peer closes', MANY, ({ far }: Ends) => far.close(), 'ERR_RESET'],
  ['it is closed', 10, ({ near }: Ends) => near.close(), 'ERR_RESET'],
  [
    'it fails',
    10,
    ({ near }: Ends) => near.destroy(new TransportError('ERR_FRAME_TIMEOUT', 'for a test')),
    'ERR_FRAME_TIMEOUT',
  ],
] as const) {
  pair(`${how}: ${count.toLocaleString('en')} calls settle, and so do their handlers`, async (t, { near, far }) => {
    let aborted = 0
    const work = (_params: undefined, { signal: ending }: { signal: AbortSignal }): Promise<void> =>
      new Promise((resolve) => {
        ending.addEventListener('abort', () => {
          aborted++
          resolve()
        })
      })
    const there = requests(far, { maxPending: MANY, handlers: { work } })
    const here = requests(near, { maxPending: MANY })
    const calls: Promise<unknown>[] = []
    for (let i = 0; i < count; i++) {
      calls.push(here.call('work').catch((error: unknown) => (error as TransportError).code))
      if (near.pendingBytes > 20_000) await near.ready()
    }
    await until(() => there.atWork === count)
    t.is(here.pending, count)
    await end({ near, far })
    const codes = new Set(await Promise.all(calls))
    t.deepEqual([...codes], [code])
    await until(() => there.atWork === 0)
    t.is(aborted, count)
    t.is(here.pending, 0)
    await rejects(t, here.call('work'), 'ERR_CLOSED')
  })
}

interface Ends {
  readonly near: Connection
  readonly far: Connection
}

pair(
  'a peer that ends its side in the middle answers nothing any more, and still gets answers',
  async (t, { near, far }) => {
    const gate = signal<number>()
    const here = requests(near, { handlers: { wait: () => gate.promise } })
    const call = here.call('never')
    await receiveMany(far, 1)
    far.send(message({ id: 1, method: 'wait' }))
    await far.end()
    await rejects(t, call, 'ERR_RESET')
    t.is(here.atWork, 1)
    gate.resolve(5)
    t.deepEqual(JSON.parse(String((await receiveMany(far, 1))[0])), { jsonrpc: '2.0', id: 1, result: 5 })
    await near.end()
    t.is((await near.closed).code, 'OK')
  },
  { allowHalfOpen: true },
)

pair('what came before the end is handled: notifications, and answers', async (t, { near, far }) => {
  const got: number[] = []
  const here = requests(near, { handlers: { log: ([i]: [number]) => got.push(i) } })
  const call = here.call('one')
  const { id } = JSON.parse(String((await receiveMany(far, 1))[0])) as { id: string }
  for (let i = 0; i < 100; i++) far.send(message({ method: 'log', params: [i] }))
  far.send(message({ id, result: 'last words' }))
  await far.close()
  t.is(await call, 'last words')
  t.is(got.length, 100)
})

pair('a connection that someone else reads makes every call fail', async (t, { near }) => {
  near.subscribe(() => undefined)
  const here = requests(near)
  const call = here.call('one')
  await rejects(t, call, 'ERR_CONSUMER_BUSY')
  await rejects(t, here.call('two'), 'ERR_CLOSED')
})

test.serial('a lost connection that comes back: calls fail at once, and later ones work', async (t) => {
  t.timeout(20_000)
  const name = `memory:${randomName()}`
  const accepted: Connection[] = []
  let asked = 0
  const transport = engine().transport(name)
  const listener = await transport.listen((connection) => {
    accepted.push(connection)
    requests(connection, {
      handlers: {
        first: () => {
          asked++
          return accepted.length === 1 ? new Promise(() => undefined) : 'second'
        },
      },
    })
  })
  const connection = transport.reconnecting({ backoff: { initialMs: 1, maxMs: 1, factor: 1, jitter: 'none' } })
  const ended: unknown[] = []
  const here = requests(connection, {
    handlers: {
      wait: (_params: undefined, { signal: ending }: { signal: AbortSignal }) =>
        new Promise((resolve) => {
          ending.addEventListener('abort', () => {
            ended.push(ending.reason)
            resolve('for nobody')
          })
        }),
    },
  })
  const call = here.call('first')
  await until(() => asked === 1)
  accepted[0]?.send(message({ id: 1, method: 'wait' }))
  await until(() => here.atWork === 1)
  accepted[0]?.destroy()
  const error = await rejects(t, call, 'ERR_RESET')
  t.regex(error.message, /was lost before the answer came/)
  t.is(await here.call('first'), 'second')
  t.is(ended.length, 1)
  // What the lost peer had asked is not answered to another one.
  t.is(accepted[1]?.info.framesReceived, 1)
  await connection.close()
  await rejects(t, here.call('first'), 'ERR_CLOSED')
  await listener.close()
})

test.serial('a lease that is given back in the middle ends its calls', async (t) => {
  t.timeout(20_000)
  const transport = engine().transport(`memory:${randomName()}`)
  const listener = await transport.listen((connection) => {
    requests(connection, { handlers: { add: ([a, b]: [number, number]) => a + b, wait: () => new Promise(() => 0) } })
  })
  const pool = transport.pool({ max: 1 })
  const lease = await pool.acquire()
  const here = requests(lease.connection)
  t.is(await here.call('add', [1, 2]), 3)
  const call = here.call('wait').catch((error: unknown) => error)
  lease.release()
  t.true((await call) instanceof TransportError)
  await turns()
  t.is(here.pending, 0)
  await pool.close()
  await listener.close()
})
