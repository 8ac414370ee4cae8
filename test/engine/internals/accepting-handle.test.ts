import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import { acceptOn } from '../../../engine/internals/accepting-handle.js'
import { bindHandle } from '../../../engine/internals/bound-handle.js'
import type { SocketHandle } from '../../../engine/internals/socket-handle.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('a bound socket accepts until it is closed, and says with what error it cannot listen', async (t) => {
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const socket = bindHandle(path)
  try {
    let onAccepted: ((connection: SocketHandle) => void) | undefined
    const errno = acceptOn(socket, 1, (status, connection) => {
      t.is(status, 0)
      if (connection !== undefined) onAccepted?.(connection)
    })
    t.is(errno, 0)
    const accepted = new Promise<SocketHandle>((resolve) => {
      onAccepted = resolve
    })
    const peer = net.connect(path)
    const connection = await accepted
    t.true(connection.fd >= 0)
    const ended = once(peer.resume(), 'end')
    connection.close()
    await ended
    socket.close()
    const [error] = (await once(net.connect(path), 'error')) as [NodeJS.ErrnoException]
    t.true(error.code === 'ECONNREFUSED' || error.code === 'ENOENT', error.code)
    t.true(acceptOn(socket, 1, () => undefined) < 0)
  } finally {
    socket.close()
    await folder.remove()
  }
})
