/** What Node's inspector must do with threads, on each version. */
import { once } from 'node:events'
import test from 'ava'
import { inspectThread } from '../../../engine/internals/thread-inspection.js'
import { startBlocked, startPaused } from '../../helpers/blocked-thread.js'
import { ChildProgram } from '../../helpers/child-program.js'
import { signal } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const ignore = (): void => undefined

failOnWarnings()

test('a session reaches the thread with the number, whether it has a name or not, and no other', async (t) => {
  t.timeout(WATCHDOG_MS)
  const workers = await Promise.all(['', 'one', '[worker 1]'].map((name) => startBlocked({ how: 'answers' }, name)))
  try {
    for (const worker of workers) {
      const answer = signal<string>()
      const inspection = await inspectThread(worker.threadId, { onMessage: answer.resolve, onGone: ignore })
      const expression = "process.getBuiltinModule?.('worker_threads').threadId ?? require('worker_threads').threadId"
      const params = { expression, includeCommandLineAPI: true }
      inspection?.send({ id: 1, method: 'Runtime.evaluate', params })
      const { result } = (JSON.parse(await answer.promise) as { result: { result: { value: unknown } } }).result
      inspection?.close()
      t.is(result.value, worker.threadId)
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
})

test('there is no session with a thread that does not exist, or has ended', async (t) => {
  const worker = await startBlocked({ how: 'answers' })
  const { threadId } = worker
  await worker.terminate()
  for (const id of [-1, 0, threadId, 1_000_000]) {
    t.is(await inspectThread(id, { onMessage: ignore, onGone: ignore }), undefined)
  }
})

test('the end of the thread is told, and closing afterwards does nothing', async (t) => {
  const worker = await startBlocked({ how: 'answers' })
  const gone = signal()
  const inspection = await inspectThread(worker.threadId, { onMessage: ignore, onGone: () => gone.resolve() })
  await worker.terminate()
  await gone.promise
  inspection?.send({ id: 1, method: 'Debugger.enable', params: {} })
  inspection?.close()
  inspection?.close()
  t.pass()
})

test('a thread that has ended itself while it is inspected is gone, not held', async (t) => {
  t.timeout(WATCHDOG_MS)
  const worker = await startBlocked({ how: 'answers' })
  const gone = signal()
  const inspection = await inspectThread(worker.threadId, { onMessage: ignore, onGone: () => gone.resolve() })
  const exited = once(worker, 'exit')
  inspection?.send({ id: 1, method: 'Runtime.evaluate', params: { expression: 'process.exit(0)' } })
  await Promise.all([gone.promise, exited])
  inspection?.close()
  t.pass()
})

test('a thread that is paused can be ended, once the session is closed', async (t) => {
  t.timeout(WATCHDOG_MS)
  const worker = await startBlocked({ how: 'loops' })
  const inspection = await startPaused(worker)
  const ended = worker.terminate()
  inspection.close()
  t.is(await ended, 1)
})

test('a process exits though a thread of it is paused', async (t) => {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start('inspected-exit', [])
  try {
    const { lines, stderr, code } = await child.exit
    t.deepEqual([lines, stderr, code], [['paused'], '', 0])
  } finally {
    child.kill('SIGKILL')
  }
})
