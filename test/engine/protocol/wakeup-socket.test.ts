/** The socket that wakes the other thread, and what it says when it cannot. */
import net from 'node:net'
import process from 'node:process'
import test from 'ava'
import { WakeupSocket } from '../../../engine/protocol/wakeup-socket.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { signal, until } from '../../helpers/turns.js'

const WATCHDOG_MS = 20_000
/** A few hundred fill a socket: the system counts far more than a byte for each. */
const MORE_THAN_FIT = 5_000

const here = process.platform === 'win32' ? test.skip : test

here('a wake-up socket wakes until its other end is gone, and says so then', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const accepted = signal<net.Socket>()
  const server = net.createServer(accepted.resolve)
  const woken = signal()
  try {
    const path = folder.socketPath()
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const socket = net.connect(path)
    const other = await accepted.promise
    await until(() => !socket.connecting)
    const wakeups = new WakeupSocket(socket)
    other.on('data', () => {
      woken.resolve()
    })
    t.true(wakeups.wake())
    await woken.promise
    // An end that does not read has wake-ups to read.
    other.pause()
    for (let i = 0; i < MORE_THAN_FIT; i++) if (!wakeups.wake()) throw new Error('a full socket is not a broken one')
    other.destroy()
    await until(() => !wakeups.wake())
    wakeups.close()
    t.false(wakeups.wake())
  } finally {
    await new Promise((resolve) => server.close(resolve))
    await folder.remove()
  }
})
