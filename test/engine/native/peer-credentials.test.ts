import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import process from 'node:process'
import test from 'ava'
import type { SocketHandle } from '../../../engine/internals/socket-handle.js'
import { nativeMemories } from '../../helpers/native-memories.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 30_000

failOnWarnings()

function descriptorOf(socket: unknown): number {
  return (socket as { readonly _handle: Pick<SocketHandle, 'fd'> })._handle.fd
}

for (const memory of nativeMemories) {
  const { provider } = memory

  test(`${provider}: both ends of a pair of sockets are this process`, (t) => {
    t.timeout(WATCHDOG_MS)
    // Its pipes are such pairs, which this process has made.
    const child = spawn(process.execPath, ['-e', ''], { stdio: ['pipe', 'ignore', 'ignore'] })
    t.deepEqual(memory.peerOf(descriptorOf(child.stdin)), { uid: process.getuid?.() ?? -1, pid: process.pid })
    child.kill('SIGKILL')
  })

  test(`${provider}: a process that connects is told from the one that listens`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true })
    try {
      await once(server.listen(path), 'listening')
      const accepted = once(server, 'connection') as Promise<[net.Socket]>
      const child = spawn(process.execPath, ['-e', 'require("node:net").connect(process.argv[1])', path])
      const [socket] = await accepted
      t.deepEqual(memory.peerOf(descriptorOf(socket)), { uid: process.getuid?.() ?? -1, pid: child.pid })
      child.kill('SIGKILL')
      await once(child, 'close')
      t.is(memory.peerOf(descriptorOf(socket)).pid, child.pid, 'it is noted when the connection is made')
      socket.destroy()
      const here = net.connect(path)
      await once(here, 'connect')
      t.is(memory.peerOf(descriptorOf(here)).pid, process.pid)
      here.destroy()
    } finally {
      server.close()
      await folder.remove()
    }
  })
}
