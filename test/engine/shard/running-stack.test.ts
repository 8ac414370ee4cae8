/** What real threads are found doing. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../engine/protocol/clock.js'
import { ANSWER_WITHIN_MS, readRunningStack, type Activity } from '../../../engine/shard/running-stack.js'
import { startBlocked, startPaused } from '../../helpers/blocked-thread.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 30_000

failOnWarnings()

/** The thread will be found running, and on a busy machine perhaps not at the first try. */
async function untilRunning(worker: Worker): Promise<Activity> {
  for (;;) {
    const activity = await readRunningStack(worker.threadId, systemClock)
    if (activity.kind === 'running') return activity
  }
}

function isFound(t: ExecutionContext, activity: Activity, name: string): void {
  if (activity.kind !== 'running') {
    t.fail(activity.kind)
    return
  }
  const frame = activity.frames.find(({ url }) => !url.startsWith('node:'))
  t.is(frame?.name, name)
  t.regex(frame?.url ?? '', /^file:.*blocked-thread\.js$/)
  t.true((frame?.line ?? 0) > 1 && (frame?.column ?? 0) > 0)
  t.true(activity.frames.length > 1 && activity.frames.length <= 10)
}

for (const [how, name] of [
  ['loops', 'loopForEver'],
  ['sleeps', 'sleepForEver'],
] as const) {
  test(`a thread that ${how} shows the function, goes on, and can be asked again and be ended`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const worker = await startBlocked({ how })
    let state: 'running' | 'ended' = 'running'
    worker.once('exit', () => {
      state = 'ended'
    })
    try {
      for (let i = 0; i < 3; i++) isFound(t, await untilRunning(worker), name)
      t.is(state, 'running')
    } finally {
      await worker.terminate()
    }
  })
}

test('other threads of the process go on undisturbed', async (t) => {
  t.timeout(WATCHDOG_MS)
  const [worker, echo, loop] = await Promise.all([
    startBlocked({ how: 'loops' }),
    startBlocked({ how: 'answers' }),
    startBlocked({ how: 'loops' }),
  ])
  try {
    const reading = untilRunning(worker)
    for (let i = 0; i < 100; i++) {
      echo.postMessage(i)
      t.deepEqual(await once(echo, 'message'), [i])
    }
    isFound(t, await reading, 'loopForEver')
    echo.postMessage('still there')
    t.deepEqual(await once(echo, 'message'), ['still there'])
  } finally {
    await Promise.all([worker, echo, loop].map((thread) => thread.terminate()))
  }
})

test('a thread that answers calls is not disturbed by being asked', async (t) => {
  t.timeout(WATCHDOG_MS)
  const worker = await startBlocked({ how: 'answers' })
  try {
    const clock = new FakeClock()
    const reading = readRunningStack(worker.threadId, clock)
    for (let i = 0; i < 100; i++) {
      worker.postMessage(i)
      t.deepEqual(await once(worker, 'message'), [i])
    }
    clock.advance(ANSWER_WITHIN_MS)
    await clock.turn()
    t.not((await reading).kind, 'native')
    worker.postMessage('still there')
    t.deepEqual(await once(worker, 'message'), ['still there'])
  } finally {
    await worker.terminate()
  }
})

const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('a thread in native code is given up after a while, and goes on when it can', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const fifo = join(folder.path, 'f')
  execFileSync('mkfifo', [fifo])
  const worker = await startBlocked({ how: 'reads', fifo })
  const exited = once(worker, 'exit')
  try {
    // At first it may not be there yet.
    for (let activity: Activity['kind'] = 'unknown'; activity !== 'native';) {
      const clock = new FakeClock()
      const reading = readRunningStack(worker.threadId, clock)
      await until(() => clock.armed === 1)
      t.is(clock.keepingAlive, 0)
      clock.advance(ANSWER_WITHIN_MS)
      await clock.turn()
      activity = (await reading).kind
    }
    fs.writeFileSync(fifo, '')
    t.deepEqual(await exited, [0])
  } finally {
    await worker.terminate()
    await folder.remove()
  }
})

test('of a thread that dies meanwhile, or has ended, nothing is known', async (t) => {
  t.timeout(WATCHDOG_MS)
  const worker = await startBlocked({ how: 'loops' })
  const { threadId } = worker
  const clock = new FakeClock()
  const reading = readRunningStack(threadId, clock)
  await worker.terminate()
  t.not((await reading).kind, 'native')
  t.is(clock.armed, 0)
  t.deepEqual(await readRunningStack(threadId, clock), { kind: 'unknown' })
})

test('a debugger that has paused the thread keeps it paused', async (t) => {
  t.timeout(WATCHDOG_MS)
  const worker = await startBlocked({ how: 'loops' })
  const messages: string[] = []
  try {
    const session = await startPaused(worker, (text) => messages.push(text))
    isFound(t, await untilRunning(worker), 'loopForEver')
    session.send({ id: 3, method: 'Debugger.resume' })
    const answers = (): string[] => messages.filter((text) => text.startsWith('{"id":3,'))
    await until(() => answers().length > 0)
    t.deepEqual(answers(), ['{"id":3,"result":{}}'], 'it fails where the thread is not paused')
    session.close()
  } finally {
    await worker.terminate()
  }
})
