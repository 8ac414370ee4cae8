/** Requests and answers: what goes over, how calls fail, are given up and are bounded. */
import { getEventListeners } from 'node:events'
import { CancellationTokenSource, createMessageConnection, type CancellationToken } from 'vscode-jsonrpc'
import {
  RemoteError,
  requests,
  toJsonRpc,
  type Requests,
  type RequestContext,
  type RequestsOptions,
} from '../../../api/adapters/index.js'
import { PeerRequests } from '../../../api/adapters/requests/requests.js'
import type { Connection } from '../../../api/index.js'
import { adapterPairs } from '../../helpers/adapter-pairs.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { receiveMany } from '../../helpers/frames.js'
import { signal, until } from '../../helpers/turns.js'
import type { ExecutionContext } from 'ava'

const { failures, pair } = adapterPairs()

interface Sums {
  add(params: { readonly a: number; readonly b: number }): number
  nothing(): undefined
}

const handlers = {
  add: ({ a, b }: { a: number; b: number }) => a + b,
  nothing: () => undefined,
}

async function remoteError(t: ExecutionContext, call: Promise<unknown>): Promise<RemoteError> {
  return t.throwsAsync<RemoteError>(call, { instanceOf: RemoteError })
}

pair('both sides ask and answer', async (t, { near, far }) => {
  const there: Requests<{ double(params: readonly number[]): Promise<number[]> }> = requests(far, { handlers })
  const here = requests<Sums>(near, {
    handlers: { double: (params: readonly number[]) => Promise.resolve(params.map((one) => 2 * one)) },
  })
  const [sum, nothing, doubled] = await Promise.all([
    here.call('add', { a: 1, b: 2 }),
    here.call('nothing'),
    there.call('double', [1, 2]),
  ])
  t.is(sum, 3)
  t.is(nothing, null)
  t.deepEqual(doubled, [2, 4])
  t.deepEqual([here.pending, here.atWork, there.pending, there.atWork], [0, 0, 0, 0])
})

pair('answers come when they are ready, each to its call', async (t, { near, far }) => {
  const gates = [signal<string>(), signal<string>(), signal<string>()]
  requests(far, { handlers: { wait: ({ i }: { i: number }) => gates[i]?.promise } })
  const here = requests(near)
  const calls = gates.map((_, i) => here.call('wait', { i }))
  gates[2]?.resolve('third')
  t.is(await calls[2], 'third')
  gates[0]?.resolve('first')
  gates[1]?.resolve('second')
  t.deepEqual(await Promise.all(calls), ['first', 'second', 'third'])
})

pair('the wire is JSON-RPC 2.0', async (t, { near, far }) => {
  const here = requests(near)
  const call = here.call('add', { a: 1 })
  here.notify('log', ['line'])
  const [request = '', notification = ''] = (await receiveMany(far, 2)).map(String)
  const { id, ...others } = JSON.parse(request) as { id: string }
  t.deepEqual(others, { jsonrpc: '2.0', method: 'add', params: { a: 1 } } as unknown)
  t.deepEqual(JSON.parse(notification), { jsonrpc: '2.0', method: 'log', params: ['line'] })
  far.send(JSON.stringify({ jsonrpc: '2.0', id, result: 'sum' }))
  t.is(await call, 'sum')
})

const failing: readonly (readonly [string, () => unknown, { message: string; code: string | number }])[] = [
  ['an error', () => Promise.reject(new Error('broken')), { message: 'broken', code: -32_000 }],
  [
    'an error with a code',
    () => {
      throw Object.assign(new TypeError('no such note'), { code: 'ENOTE' })
    },
    { message: 'no such note', code: 'ENOTE' },
  ],
  [
    'an error with a number',
    () => {
      throw new RemoteError('bad params', -32_602)
    },
    { message: 'bad params', code: -32_602 },
  ],
  [
    'what is no error',
    () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw { password: 'secret' }
    },
    { message: 'the handler threw what is not an error', code: -32_000 },
  ],
]

for (const [what, fail, expected] of failing) {
  pair(`${what} of a handler arrives with its message and code, and without its stack`, async (t, { near, far }) => {
    requests(far, { handlers: { fail } })
    const here = requests(near)
    const error = await remoteError(t, here.call('fail'))
    t.like(error, { name: 'RemoteError', ...expected })
    t.false(JSON.stringify(error.data ?? null).includes('.ts'))
    t.false((error.stack ?? '').includes('secret'))
    t.is(near.info.framesReceived, 1)
  })
}

pair('what has no handler, also by a name that every object has, is no method', async (t, { near, far }) => {
  requests(far, { handlers })
  const here = requests(near)
  for (const name of ['subtract', 'toString', '__proto__', 'constructor'])
    t.is((await remoteError(t, here.call(name))).code, -32_601)
  // Nobody is told, and nothing ends.
  t.true(here.notify('subtract'))
  t.is(await here.call('add', { a: 2, b: 2 }), 4)
})

pair(
  'a result that cannot be sent is an error of the call',
  async (t, { near, far }) => {
    const results = { bigint: () => 1n, large: () => 'x'.repeat(2_000) }
    requests(far, { handlers: results })
    const here = requests(near)
    t.is((await remoteError(t, here.call('bigint'))).code, 'ERR_INVALID_FRAME')
    t.is((await remoteError(t, here.call('large'))).code, 'ERR_FRAME_TOO_LARGE')
  },
  { maxFrameBytes: 1_000 },
)

pair(
  'calls that cannot be made are refused, and nothing is sent',
  async (t, { near }) => {
    const here = requests(near)
    await rejects(t, here.call('add', 5 as never), 'ERR_INVALID_OPTION')
    await rejects(t, here.call(5 as never), 'ERR_INVALID_OPTION')
    await rejects(t, here.call('add', {}, { timeout: 5 } as never), 'ERR_INVALID_OPTION')
    await rejects(t, here.call('add', {}, { signal: AbortSignal.abort() }), 'ERR_ABORTED')
    await rejects(t, here.call('add', [1n]), 'ERR_INVALID_FRAME')
    await rejects(t, here.call('add', ['x'.repeat(2_000)]), 'ERR_FRAME_TOO_LARGE')
    throws(t, () => here.notify('log', null as never), 'ERR_INVALID_OPTION')
    throws(t, () => here.notify('log', [1n]), 'ERR_INVALID_FRAME')
    t.deepEqual([here.pending, near.info.framesSent], [0, 0])
  },
  { maxFrameBytes: 1_000 },
)

/** A handler that works until it is told to stop, and says so. */
function untilCancelled(): {
  handler: (params: object, context: RequestContext) => Promise<never>
  stopped: () => number
} {
  let stopped = 0
  const handler = (_params: object, context: RequestContext): Promise<never> =>
    new Promise((_resolve, reject) => {
      const stop = (): void => {
        stopped++
        reject(context.signal.reason as Error)
      }
      if (context.signal.aborted) stop()
      else context.signal.addEventListener('abort', stop)
    })
  return { handler, stopped: () => stopped }
}

pair('a call that is given up rejects at once, and its handler is told', async (t, { near, far }) => {
  const { handler, stopped } = untilCancelled()
  const there = requests(far, { handlers: { work: handler, ...handlers } })
  const here = requests(near)
  const giveUp = new AbortController()
  const calls = [0, 1].map(() => here.call('work', {}, { signal: giveUp.signal }))
  await until(() => there.atWork === 2)
  const reason = new Error('no longer needed')
  giveUp.abort(reason)
  for (const call of calls) t.is((await rejects(t, call, 'ERR_ABORTED')).cause, reason)
  t.is(getEventListeners(giveUp.signal, 'abort').length, 0)
  await until(() => stopped() === 2 && there.atWork === 0)
  // Its late answer, an error, finds no call.
  t.is(await here.call('add', { a: 1, b: 1 }), 2)
  t.is(here.pending, 0)
})

pair('a call without an answer ends at its deadline, and its handler is told', async (t, { near, far }) => {
  const clock = new FakeClock()
  const { handler, stopped } = untilCancelled()
  requests(far, { handlers: { work: handler } })
  const here = new PeerRequests<Record<string, (params: object) => unknown>>(near, { timeoutMs: 500 }, clock)
  const usual = here.call('work', {})
  const patient = here.call('work', {}, { timeoutMs: 900 })
  t.deepEqual(clock.asked, [500, 900])
  clock.advance(500)
  await rejects(t, usual, 'ERR_TIMEOUT')
  t.is(here.pending, 1)
  clock.advance(400)
  await rejects(t, patient, 'ERR_TIMEOUT')
  await until(() => stopped() === 2)
  t.is(clock.armed, 0)
})

pair('an answer disarms the deadline and lets go of the signal', async (t, { near, far }) => {
  const clock = new FakeClock()
  requests(far, { handlers })
  const here = new PeerRequests<Sums>(near, {}, clock)
  const { signal: kept } = new AbortController()
  t.is(await here.call('add', { a: 1, b: 2 }, { signal: kept }), 3)
  t.deepEqual([clock.asked, clock.armed], [[30_000], 0])
  t.is(getEventListeners(kept, 'abort').length, 0)
})

pair('calls that wait are bounded, on both sides', async (t, { near, far }) => {
  const gate = signal()
  const there = requests(far, { maxPending: 2, handlers: { wait: () => gate.promise } })
  const here = requests(near, { maxPending: 3 })
  const calls = [0, 1, 2].map(() => here.call('wait'))
  await rejects(t, here.call('wait'), 'ERR_BACKPRESSURE')
  const refused = calls.pop()
  if (refused === undefined) throw new Error('there were calls')
  t.is((await remoteError(t, refused)).code, 'ERR_BACKPRESSURE')
  t.is(there.atWork, 2)
  gate.resolve()
  await Promise.all(calls)
  await here.call('wait')
})

pair(
  'answers wait for room while the caller does not read, and hold no more than their number',
  async (t, { near, far }) => {
    const answer = 'x'.repeat(60_000)
    const there = requests(far, { maxPending: 20, handlers: { get: () => answer } })
    const ids = Array.from({ length: 20 }, (_, i) => i)
    for (const id of ids) near.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'get' }))
    await until(() => far.info.framesReceived === 20 && there.atWork < 20)
    t.true(there.atWork > 10)
    const answers = (await receiveMany(near, 20)).map((frame) => JSON.parse(String(frame)) as { id: number })
    t.deepEqual(
      answers.map(({ id }) => id).sort((a, b) => a - b),
      ids,
    )
    await until(() => there.atWork === 0)
  },
  { maxPendingBytes: 100_000, maxFrameBytes: 100_000 },
)

pair(
  'notifications come in order; one whose handler is at work counts, and more of them wait',
  async (t, { near, far }) => {
    const got: number[] = []
    const gate = signal()
    const log = ([i]: [number]): Promise<void> => {
      got.push(i)
      return gate.promise
    }
    const there = requests(far, { maxPending: 2, handlers: { log, ...handlers } })
    const here = requests(near)
    for (let i = 0; i < 5; i++) here.notify('log', [i])
    const behind = here.call('add', { a: 1, b: 1 })
    await until(() => there.atWork === 2)
    t.deepEqual(got, [0, 1])
    gate.resolve()
    t.is(await behind, 2)
    t.deepEqual(got, [0, 1, 2, 3, 4])
  },
)

pair('a notification whose handler fails destroys the connection', async (t, { near, far }) => {
  requests(far, { handlers: { log: () => Promise.reject(new Error('disk full')) } })
  requests(near).notify('log')
  t.is((await far.closed).code, 'ERR_HANDLER')
  t.deepEqual(failures.takeTold(), ['adapter: disk full'])
})

pair('options are checked', async (t, { near }) => {
  for (const options of [
    { maxPending: 0 },
    { maxPending: 1_000_001 },
    { timeoutMs: 0 },
    { timeoutMs: Infinity },
    { handlers: { add: 1 } },
    { handlers: [] },
    { maxDepth: 0 },
    { handler: {} },
  ])
    throws(t, () => requests(near, options as unknown as RequestsOptions), 'ERR_INVALID_OPTION')
  await near.close()
})

/** `vscode-jsonrpc` at the far end. */
async function withVscode(
  far: Connection,
  body: (peer: ReturnType<typeof createMessageConnection>) => Promise<void>,
): Promise<void> {
  const { reader, writer } = toJsonRpc(far)
  const peer = createMessageConnection(reader, writer)
  peer.listen()
  try {
    await body(peer)
  } finally {
    peer.dispose()
  }
}

pair('vscode-jsonrpc asks and answers as this side does', async (t, { near, far }) => {
  const { handler, stopped } = untilCancelled()
  const heard: unknown[] = []
  const here = requests(near, { handlers: { ...handlers, work: handler, log: (params: object) => heard.push(params) } })
  await withVscode(far, async (peer) => {
    const peerStopped = signal()
    peer.onRequest('sum', (numbers: number[]) => numbers.reduce((sum, one) => sum + one, 0))
    peer.onRequest('work', (_params: object, token: CancellationToken) => {
      return new Promise((resolve) => {
        token.onCancellationRequested(() => {
          peerStopped.resolve()
          resolve('stopped')
        })
      })
    })
    t.is((await remoteError(t, here.call('sum', {}))).name, 'RemoteError')
    t.is(await peer.sendRequest('add', { a: 20, b: 22 }), 42)
    peer.sendNotification('log', { line: 1 })
    const missing = await t.throwsAsync<Error & { code: number }>(peer.sendRequest<unknown>('missing', {}))
    t.is(missing.code, -32_601)
    t.is((await remoteError(t, here.call('missing'))).code, -32_601)
    t.deepEqual(heard, [{ line: 1 }])

    const giveUp = new AbortController()
    const ours = here.call('work', {}, { signal: giveUp.signal })
    const { token, cancel } = withToken()
    const theirs = peer.sendRequest<unknown>('work', {}, token)
    await until(() => here.atWork === 1)
    cancel()
    const cancelled = await t.throwsAsync<Error & { code: number }>(theirs)
    t.is(cancelled.code, -32_800)
    t.is(stopped(), 1)
    giveUp.abort()
    await rejects(t, ours, 'ERR_ABORTED')
    await peerStopped.promise
  })
})

function withToken(): { token: CancellationTokenSource['token']; cancel: () => void } {
  const source = new CancellationTokenSource()
  return { token: source.token, cancel: () => source.cancel() }
}
