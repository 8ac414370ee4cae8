/** A host that gets SIGTERM: what it has sent arrives, it ends by itself, and nothing of it is left. */
import net from 'node:net'
import process from 'node:process'
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { isRunning } from '../helpers/small-children.js'
import { RawReader, rawFrame } from '../helpers/raw-frames.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
const FRAMES = 200

failOnWarnings()

const declare = process.platform === 'win32' ? test.serial.skip : test.serial

declare(
  'SIGTERM: work finishes, everything sent arrives, and the host ends by itself and leaves nothing behind',
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    const received: string[] = []
    const ended: Promise<void>[] = []
    const server = net.createServer((socket) => {
      const reader = new RawReader(socket)
      const readAll = async (): Promise<void> => {
        for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
          received.push(String(frame))
          if (String(frame) === 'ask me') socket.write(rawFrame('question'))
        }
      }
      ended.push(readAll())
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const host = ChildProgram.start('sigterm-host', [`unix:${path}`, folder.endpoint()])
    try {
      const pid = Number(await host.next())
      t.true(pid > 1 && isRunning(pid))
      await host.line('at work')
      host.kill('SIGTERM')
      await host.line('closing')
      host.tell('go')
      const { code, signal, lines, stderr } = await host.exit
      t.deepEqual([code, signal, stderr], [0, null, ''])
      t.deepEqual(lines.slice(3), [JSON.stringify({ leaked: 0, cameIn: FRAMES, cameBack: FRAMES }), 'empty'])
      await Promise.all(ended)
      t.true(received.includes('answer'))
      for (const sender of ['reconnecting', 'pool']) {
        const own = received.filter((frame) => frame.startsWith(sender))
        t.deepEqual(
          own,
          Array.from({ length: FRAMES }, (_, i) => `${sender} ${String(i)}`),
        )
      }
      await until(() => !isRunning(pid))
    } finally {
      host.kill('SIGKILL')
      await new Promise((resolve) => server.close(resolve))
      // Nothing but what the server had, which is gone with it.
      t.deepEqual(await folder.list(), [])
      await folder.remove()
    }
  },
)
