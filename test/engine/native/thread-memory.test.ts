/** What a thread needs of native memory besides, on Linux. */
import fs from 'node:fs'
import net from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { findNativeMemory } from '../../../engine/native/find-native-memory.js'
import { handleOf, handleOver, socketOver } from '../../../engine/internals/socket-handle.js'
import { canShareMemory } from '../../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

const onLinux = canShareMemory && process.platform === 'linux' ? test : test.skip
const { memory } = await findNativeMemory()
const LENGTH = 3 * 4096

onLinux('a handle over a duplicate goes on with the socket when the first one is closed', async (t) => {
  const folder = await makeTemporaryFolder()
  const server = net.createServer()
  try {
    const path = folder.socketPath()
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const connecting = net.connect(path)
    const accepting = once(server, 'connection') as Promise<[net.Socket]>
    await once(connecting, 'connect')
    const [accepted] = await accepting
    const fd = handleOf(connecting)?.fd ?? -1
    const duplicate = handleOver(memory?.duplicate(fd) ?? -1)
    t.not(duplicate.fd, fd)
    const closed = once(connecting, 'close')
    connecting.destroy()
    await closed
    const read: string[] = []
    const buffer = Buffer.alloc(64)
    const socket = socketOver(duplicate, {
      buffer,
      callback: (length) => {
        read.push(buffer.toString('latin1', 0, length))
        return true
      },
    })
    socket.resume()
    socket.write('to')
    t.is(String((await once(accepted, 'data'))[0]), 'to')
    accepted.end('fro')
    await once(socket, 'end')
    t.deepEqual(read, ['fro'])
    socket.destroy()
    t.throws(() => memory?.duplicate(-1), { code: 'EBADF' })
  } finally {
    server.close()
    await folder.remove()
  }
})

onLinux('a range of addresses is told of once, and not when it is used again', async (t) => {
  const folder = await makeTemporaryFolder()
  const fd = fs.openSync(join(folder.path, 'file'), 'w+')
  try {
    fs.ftruncateSync(fd, LENGTH)
    const told: number[] = []
    memory?.watchRanges((address, length) => {
      told.push(length)
      t.true(address > 0n)
    })
    const first = memory?.map(fd, LENGTH)
    const second = memory?.map(fd, LENGTH)
    first?.release()
    memory?.map(fd, LENGTH).release()
    second?.release()
    t.deepEqual(told, [LENGTH, LENGTH])
  } finally {
    fs.closeSync(fd)
    await folder.remove()
  }
})
