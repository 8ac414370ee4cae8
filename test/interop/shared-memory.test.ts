/** Another program at either end of a `shm:` endpoint: what docs/wire.md says is enough for it. */
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine } from '../../api/index.js'
import { hasPython, spawnPythonPeer, type PythonMode } from '../helpers/python-shared-peer.js'
import { hasMemfd, isSharedOnLinux } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
/** Of frames: within a ring, around its end, larger than it, and larger than most of those that it may grow to. */
const SIZES = [0, 1, 5, 4_092, 4_096, 5_000, 100, 70_000, 33, 1_000_000, 3_000_000, 7]

failOnWarnings()

/** Lines of its output, in order. Read from now on: what nobody reads is gone once the program has ended. */
function linesOf({ stdout }: ChildProcess): AsyncIterator<string> {
  if (stdout === null) throw new Error('its output is not piped')
  return createInterface(stdout)[Symbol.asyncIterator]()
}

/** All frames come back, one at a time and many at once, and then both ends end. */
async function exchange(t: ExecutionContext, connection: Connection): Promise<void> {
  const echoes = connection[Symbol.asyncIterator]()
  const expectEcho = async (frame: Buffer): Promise<void> => {
    const { value } = (await echoes.next()) as { value: Uint8Array | undefined }
    t.true(value !== undefined && frame.equals(value), `the echo of ${String(frame.length)} bytes`)
  }
  for (const size of SIZES) {
    const frame = randomBytes(size)
    connection.send(frame)
    await expectEcho(frame)
  }
  const frames = Array.from({ length: 2_000 }, (_, index) => randomBytes(index % 300))
  for (const frame of frames) {
    if (!connection.send(frame)) await connection.ready()
  }
  for (const frame of frames) await expectEcho(frame)
  void connection.end()
  t.true((await echoes.next()).done)
  t.is((await connection.closed).code, 'OK')
}

async function meet(
  t: ExecutionContext,
  body: (
    engine: Engine,
    path: string,
  ) => Promise<{ connection: Connection; child: ChildProcess; lines: AsyncIterator<string> }>,
  expected: readonly string[],
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  try {
    const { connection, child, lines } = await body(engine, folder.socketPath())
    try {
      const exited = once(child, 'exit')
      await exchange(t, connection)
      t.true(expected.includes(String((await lines.next()).value)))
      t.deepEqual(await exited, [0, null])
      t.is(connection.info.memory, expected.includes('socket stayed') ? 'socket' : 'shared')
    } finally {
      child.kill('SIGKILL')
    }
  } finally {
    t.is((await engine.close()).leaked, 0)
    await folder.remove()
  }
}

function declare(mode: PythonMode, expected: readonly string[], isPossible: boolean): void {
  const serial = hasPython && isPossible ? test.serial : test.serial.skip

  serial(`a program that dials exchanges frames: ${mode}`, async (t) => {
    await meet(
      t,
      async (engine, path) => {
        const listener = await engine.transport(`shm:${path}`).listen()
        const child = spawnPythonPeer('dial', path, mode)
        const connection = await listener.accept()
        if (connection === undefined) throw new Error('nobody came')
        return { connection, child, lines: linesOf(child) }
      },
      expected,
    )
  })

  serial(`a program that listens exchanges frames: ${mode}`, async (t) => {
    await meet(
      t,
      async (engine, path) => {
        const child = spawnPythonPeer('listen', path, mode)
        const lines = linesOf(child)
        t.is((await lines.next()).value, 'up')
        return { connection: await engine.transport(`shm:${path}`).connect(), child, lines }
      },
      expected,
    )
  })
}

declare('descriptor', ['descriptor moved'], isSharedOnLinux && hasMemfd)
declare('path', ['path moved'], isSharedOnLinux)
declare('socket', ['socket stayed'], true)
