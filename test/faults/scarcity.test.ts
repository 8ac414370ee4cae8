/** A process that has no descriptor left: connecting fails so that a retry can help, and does once there are some. */
import net from 'node:net'
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { canCountResources } from '../helpers/process-resources.js'
import { hasMemfd } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 120_000
/** Enough for an engine. */
const OPEN_FILES = 128

failOnWarnings()

const declare = canCountResources ? test.serial : test.serial.skip

declare('with too few descriptors connecting and listening fail with ERR_IO, and leaves none behind', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const child = ChildProgram.start('scarce-descriptors', [`unix:${path}`, folder.endpoint()], {
    openFiles: OPEN_FILES,
  })
  try {
    const { code, signal, lines, stderr } = await child.exit
    t.deepEqual([code, signal, stderr], [0, null, ''])
    t.deepEqual(JSON.parse(lines[0] ?? '{}'), {
      succeeded: true,
      severalTries: true,
      failures: ['ERR_IO retryable'],
      more: 0,
      leaked: 0,
    })
    t.deepEqual(lines.slice(1), ['empty'])
    t.deepEqual(await folder.list(), [path.slice(path.lastIndexOf('/') + 1)])
  } finally {
    child.kill('SIGKILL')
    await new Promise((resolve) => server.close(resolve))
    await folder.remove()
  }
})

declare('a descriptor that its receiver has no number for is reported as lost, and the next one comes', async (t) => {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start('lost-descriptor', [], { openFiles: OPEN_FILES })
  try {
    const { code, signal, lines, stderr } = await child.exit
    t.deepEqual([code, signal, stderr], [0, null, ''])
    t.deepEqual(lines, ['lost, came', 'lost, came', '0 more', 'empty'])
  } finally {
    child.kill('SIGKILL')
  }
})

declare('a listener that pauses while no descriptor is left goes on once there is one', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const child = ChildProgram.start('scarce-resume', [folder.endpoint()], { openFiles: OPEN_FILES })
  try {
    const { code, signal, lines, stderr } = await child.exit
    t.deepEqual([code, signal, stderr], [0, null, ''])
    t.deepEqual(lines, ['served', 'leaked 0', 'empty'])
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
})

declare(
  'a connection whose duplicate for main is lost for lack of descriptors goes on, and gets one later',
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const child = ChildProgram.start('scarce-duplicates', [], { openFiles: OPEN_FILES })
    try {
      const { code, signal, lines, stderr } = await child.exit
      t.deepEqual([code, signal, stderr], [0, null, ''])
      t.deepEqual(lines, [
        'by a way that is there: 0 inline, asked 1 times',
        'by a way that is there: inline, asked 2 times',
        'leaked 0',
        'by a way that is to be made: 0 inline, asked 1 times',
        'by a way that is to be made: inline, asked 2 times',
        'leaked 0',
        '0 more',
        'empty',
      ])
    } finally {
      child.kill('SIGKILL')
    }
  },
)

for (const mode of ['descriptor', 'path'] as const) {
  const title = `with too few descriptors either end of shared memory by ${mode} fails, or goes on over the socket`
  ;(hasMemfd ? declare : test.serial.skip)(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const child = ChildProgram.start('scarce-shared-memory', [folder.path, mode], {
      openFiles: OPEN_FILES,
      env: { TMPDIR: folder.path },
    })
    try {
      const { code, signal, lines, stderr } = await child.exit
      t.deepEqual([code, signal, stderr], [0, null, ''])
      t.log(lines[0])
      const { dialled, accepted, ...rest } = JSON.parse(lines[0] ?? '{}') as Record<string, string[]>
      t.deepEqual(rest as object, { again: ['shared', 'shared'], more: 0, leaked: 0, peerLeaked: 'leaked 0' })
      t.deepEqual(lines.slice(1), ['empty'])
      for (const outcomes of [dialled, accepted]) {
        t.is(outcomes?.at(-1), 'shared')
        t.true(outcomes?.includes('socket'), 'a descriptor for the connection, and none for memory')
      }
      const others = (outcomes: readonly string[] = []): string[] =>
        outcomes.filter((outcome) => outcome !== 'shared' && outcome !== 'socket')
      t.deepEqual([...new Set(others(dialled))], ['ERR_IO retryable'])
      t.true(others(accepted).every((outcome) => outcome === 'ERR_RESET' || outcome === 'ERR_TIMEOUT'))
      t.deepEqual(await folder.list(), [])
    } finally {
      child.kill('SIGKILL')
      await folder.remove()
    }
  })
}
