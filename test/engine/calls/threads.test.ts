/** Calls between two threads, in both directions. */
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import test from 'ava'
import { callsOver, type Calls } from '../../../engine/calls/calls-over.js'
import { serveCalls } from '../../../engine/calls/serve-calls.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { CallingThread, OfMain, OfThread } from '../../fixtures/calling-thread.js'
import { over } from '../../helpers/call-pair.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 30_000

failOnWarnings()

interface Started {
  readonly thread: Worker
  readonly calls: Calls<OfThread>
  readonly exit: Promise<unknown>
  readonly end: () => Promise<void>
}

function start(functions: OfMain): Started {
  const down = new MessageChannel()
  const up = new MessageChannel()
  serveCalls(up.port1, functions)
  const calls = callsOver<OfThread>(down.port1, { what: 'api', endpoint: undefined })
  const workerData: CallingThread = { serving: down.port2, calling: up.port2 }
  const thread = new Worker(new URL('../../fixtures/calling-thread.js', import.meta.url), {
    workerData,
    transferList: [down.port2, up.port2],
  })
  const exit = once(thread, 'exit')
  const end = async (): Promise<void> => {
    calls.close(over)
    up.port1.close()
    await thread.terminate()
  }
  return { thread, calls, exit, end }
}

test('a thread and main call each other, and errors keep what they say', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { calls, end } = start({
    lookup: (id) => {
      if (id === 0) throw new TransportError('ERR_NOT_FOUND', 'no 0', { endpoint: 'local:db' })
      return `number ${String(id)}`
    },
  })
  const waiting = calls.proxy.wait()
  try {
    t.is(await calls.proxy.double(21), 42)
    t.is(await calls.proxy.describe(7), '7 is number 7')
    const many = Array.from({ length: 500 }, (_, i) => calls.proxy.describe(i + 1))
    t.is((await Promise.all(many))[499], '500 is number 500')
    // From main, to the thread, and back.
    const error = await t.throwsAsync(calls.proxy.describe(0), { instanceOf: TransportError, code: 'ERR_NOT_FOUND' })
    t.like(error, { endpoint: 'local:db', retryable: true })
    await t.throwsAsync(calls.proxy.fail(), { instanceOf: RangeError, code: 'E_FAIL', message: 'not here' })
  } finally {
    await end()
  }
  t.is(await t.throwsAsync(waiting), over)
})

for (const [how, die] of [
  ['exits', ({ calls }: Started) => void calls.proxy.exit().catch(() => undefined)],
  ['is terminated', ({ thread }: Started) => void thread.terminate()],
] as const) {
  test(`calls of a thread that ${how} reject`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const started = start({ lookup: () => '' })
    const { calls, exit, end } = started
    try {
      const call = calls.proxy.wait()
      await calls.proxy.double(1)
      die(started)
      await t.throwsAsync(call, { code: 'ERR_CLOSED' })
      await exit
      await t.throwsAsync(calls.proxy.double(1), { code: 'ERR_CLOSED' })
      t.is(calls.pending, 0)
    } finally {
      await end()
    }
  })
}
