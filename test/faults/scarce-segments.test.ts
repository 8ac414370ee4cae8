/** No memory or no addresses for a segment: the connection goes over its socket. */
import test from 'ava'
import { createEngine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { withEnvironment } from '../helpers/environment.js'
import { hasMemfd, withoutMemfd } from '../helpers/shared-memory-here.js'
import { smallFileSystem } from '../helpers/small-file-system.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
/** Beside what one connection takes: a few more have room, and what the process takes for itself. */
const MORE_KIB = 400 * 1024
const CONNECTIONS = 60

failOnWarnings()

const declare = hasMemfd ? test.serial : test.serial.skip

async function run(most: number, addressKiB?: number): Promise<readonly string[]> {
  const folder = await makeTemporaryFolder()
  const settings = addressKiB === undefined ? {} : { addressKiB }
  const child = ChildProgram.start('scarce-segments', [`shm:${folder.socketPath()}`, String(most)], settings)
  try {
    const { code, signal, lines, stderr } = await child.exit
    if (code !== 0 || stderr !== '') throw new Error(`${String(code)} ${String(signal)} ${stderr}`)
    return lines
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
}

declare('without addresses for a segment a connection goes over its socket, and others are not touched', async (t) => {
  t.timeout(WATCHDOG_MS)
  const peak = Number((await run(1)).at(-1))
  const [got = '', again, leaked] = await run(CONNECTIONS, peak + MORE_KIB)
  t.regex(got, /^(shared,)+socket$/)
  t.deepEqual([again, leaked], ['shared', 'leaked 0'])
})

declare('without room for a segment on the file system a connection goes over its socket', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const full = await smallFileSystem(4096)
  const engine = await createEngine({ shards: 1 })
  try {
    const transport = engine.transport(`shm:${folder.socketPath()}`)
    const listener = await transport.listen()
    const connect = async (): Promise<string | undefined> => {
      const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
      dialled.send('through')
      t.is(String(await accepted?.receive()), 'through')
      await Promise.all([dialled.close(), accepted?.close()])
      return dialled.info.memory
    }
    withoutMemfd(true)
    t.is(await connect(), 'shared')
    if (full === undefined) {
      t.log('this user cannot mount a file system')
      return
    }
    for (const path of [full.path, `${full.path}/none`]) {
      await withEnvironment({ TMPDIR: path }, async () => {
        t.is(await connect(), 'socket')
      })
    }
    t.is(await connect(), 'shared')
  } finally {
    withoutMemfd(false)
    t.is((await engine.close()).leaked, 0)
    await full?.remove()
    await folder.remove()
  }
})
