/** Another user's process gets no memory of ours, and none of its is opened: frames go over the socket. */
import fs from 'node:fs'
import test from 'ava'
import { createEngine, type Connection } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { hasMemfd, withoutMemfd } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000

failOnWarnings()

const declare = hasMemfd && process.getuid?.() === 0 ? test.serial : test.serial.skip

declare(
  'whichever end is of another user, frames go over the socket (needs root, to become another user)',
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    fs.chmodSync(folder.path, 0o777)
    const [ours, theirs] = [folder.socketPath(), folder.socketPath()]
    const engine = await createEngine({ shards: 1 })
    const child = ChildProgram.start('shared-memory-of-another', [`shm:${theirs}`, `shm:${ours}`])
    try {
      const accepted: Connection[] = []
      await engine.transport(`shm:${ours}`, { mode: 0o666 }).listen((connection) => {
        accepted.push(connection)
        connection.subscribe((frame) => void connection.send(frame), { borrow: true })
      })
      await child.line('there')
      for (const isByPath of [false, true]) {
        withoutMemfd(isByPath)
        const dialled = await engine.transport(`shm:${theirs}`).connect()
        dialled.send('from root')
        t.is(String(await dialled.receive()), 'from root')
        t.is(dialled.info.memory, 'socket')
        await dialled.close()
        child.tell('to root')
        await child.line('to root socket')
        t.is(accepted.at(-1)?.info.memory, 'socket')
      }
      t.is(engine.stats().ledger.byKind.segments.opened, 0)
      child.tell('end')
      await child.line('leaked 0')
      t.is((await child.exit).stderr, '')
    } finally {
      withoutMemfd(false)
      child.kill('SIGKILL')
      t.is((await engine.close()).leaked, 0)
      await folder.remove()
    }
  },
)
