/** Worker threads that do not start: createEngine() says so, and leaves nothing behind. */
import process from 'node:process'
import test from 'ava'
import { createEngine, type EngineOptions } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { rejects } from '../helpers/expected-errors.js'
import { failBoots, faultyWorker, type BootFault } from '../helpers/faults.js'
import { byLength } from '../helpers/length.js'
import { canCountResources, processResources, type ProcessResources } from '../helpers/process-resources.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
/** So long that only a report from the thread can end the wait within the watchdog's time. */
const FOREVER_MS = 600_000

failOnWarnings()

let before: ProcessResources | undefined

test.serial.before('setup: one engine first, so that what it leaves to the process is there already', async () => {
  await (await createEngine({ shards: 2 })).close()
  // libuv's own threads, which come with the first asynchronous file operation.
  await (await makeTemporaryFolder()).remove()
  if (canCountResources) before = processResources()
})

test.afterEach.always(() => {
  failBoots(undefined)
})

async function leavesNothing(): Promise<void> {
  if (before === undefined) return
  const { threads, descriptors, children } = before
  await until(() => {
    const now = processResources()
    return now.threads === threads && now.descriptors === descriptors && now.children === children
  })
}

const prompt: readonly (readonly [BootFault, RegExp])[] = [
  ['throws', /injected error while starting/],
  ['throws when called', /injected error while starting/],
  ['exits', /exited with code:? 4/],
  ['returns', /returned/],
]

for (const [fault, cause] of prompt) {
  test.serial(`a worker that ${fault} is reported at once`, async (t) => {
    t.timeout(WATCHDOG_MS)
    failBoots(fault)
    for (const shards of [2]) {
      const options: EngineOptions = { shards, workerEntry: faultyWorker, bootTimeoutMs: FOREVER_MS }
      const error = await rejects(t, createEngine(options), 'ERR_SHARD_BOOT')
      t.regex(String(error.cause), cause)
      await leavesNothing()
    }
  })
}

for (const fault of ['stuck', 'waits'] as const) {
  test.serial(`a worker that ${fault === 'stuck' ? 'is stuck' : fault} is reported after bootTimeoutMs`, async (t) => {
    t.timeout(WATCHDOG_MS)
    failBoots(fault)
    for (const shards of [2]) {
      const options: EngineOptions = { shards, workerEntry: faultyWorker, bootTimeoutMs: 50 }
      const error = await rejects(t, createEngine(options), 'ERR_SHARD_BOOT')
      t.regex(error.message, /within 50 ms \(bootTimeoutMs\)/)
      await leavesNothing()
    }
  })
}

test.serial('threads that are ended while they load their modules leave nothing open', async (t) => {
  t.timeout(WATCHDOG_MS)
  failBoots('stuck')
  for (let bootTimeoutMs = 2; bootTimeoutMs <= 60; bootTimeoutMs += byLength({ short: 6, long: 2 })) {
    const options: EngineOptions = { shards: 2, workerEntry: faultyWorker, bootTimeoutMs }
    await rejects(t, createEngine(options), 'ERR_SHARD_BOOT')
  }
  await leavesNothing()
})

test.serial('a missing worker module is reported at once', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const options = { shards: 2, workerEntry: `${folder.path}/missing.js`, bootTimeoutMs: FOREVER_MS }
    const error = await rejects(t, createEngine(options), 'ERR_SHARD_BOOT')
    t.regex(error.message, /workerEntry/)
    t.regex(String(error.cause), /missing\.js/)
    await leavesNothing()
  } finally {
    await folder.remove()
  }
})

test.serial('if one of several workers does not start, the others are ended', async (t) => {
  t.timeout(WATCHDOG_MS)
  failBoots('throws when called', 1)
  const options: EngineOptions = { shards: 3, workerEntry: faultyWorker, bootTimeoutMs: FOREVER_MS }
  const error = await rejects(t, createEngine(options), 'ERR_SHARD_BOOT')
  t.regex(String(error.cause), /injected error while starting/)
  await leavesNothing()
})

test.serial('an engine starts after another one failed to', async (t) => {
  t.timeout(WATCHDOG_MS)
  failBoots('throws')
  await rejects(t, createEngine({ shards: 1, workerEntry: faultyWorker }), 'ERR_SHARD_BOOT')
  failBoots(undefined)
  const engine = await createEngine({ shards: 1, workerEntry: faultyWorker })
  t.is((await engine.close()).leaked, 0)
  await leavesNothing()
})

test.serial('if threads are forbidden, the error says so and the process ends by itself', async (t) => {
  t.timeout(WATCHDOG_MS)
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  const child = ChildProgram.start('forbidden-threads', [], {
    nodeArgs: [flag, '--allow-fs-read=*', '--allow-fs-write=*'],
  })
  try {
    const { code, signal, lines, stderr } = await child.exit
    t.deepEqual([code, signal], [0, null], stderr)
    t.is(lines.length, 3, lines.join('\n'))
    t.regex(lines[0] ?? '', /^ERR_SHARD_BOOT: .*--allow-worker/)
    t.deepEqual(lines.slice(1), ['ERR_ACCESS_DENIED', 'empty'])
    t.notRegex(stderr, /unhandled/i)
  } finally {
    child.kill('SIGKILL')
  }
})
