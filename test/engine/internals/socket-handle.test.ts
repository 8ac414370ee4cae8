import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import { divertHandles, socketOver, type SocketHandle } from '../../../engine/internals/socket-handle.js'
import { makeTemporaryFolder, pathOf } from '../../helpers/temporary-folder.js'

async function withServer(use: (server: net.Server, path: string) => Promise<void>): Promise<void> {
  const folder = await makeTemporaryFolder()
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  const path = pathOf(folder.endpoint())
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    await use(server, path)
  } finally {
    server.close()
    await folder.remove()
  }
}

test('the handle of an accepted connection can be taken before a socket is made of it', async (t) => {
  await withServer(async (server, path) => {
    server.on('connection', () => {
      t.fail('the server made a socket')
    })
    const accepted = new Promise<SocketHandle>((resolve) => {
      divertHandles(server, resolve)
    })
    const peer = net.connect(path)
    peer.write('hello')
    const handle = await accepted
    const heard = new Promise<string>((resolve) => {
      const memory = Buffer.alloc(16)
      const callback = (length: number): boolean => {
        resolve(String(memory.subarray(0, length)))
        return true
      }
      const socket = socketOver(handle, { buffer: memory, callback })
      socket.resume()
      socket.once('end', () => socket.destroy())
    })
    t.is(await heard, 'hello')
    peer.end()
    await once(peer.resume(), 'close')
  })
})

test("if Node's internals change, the server emits connections as before", async (t) => {
  await withServer(async (server, path) => {
    const { _handle } = server as unknown as { _handle: { onconnection: unknown } }
    const real = _handle.onconnection
    _handle.onconnection = undefined
    divertHandles(server, () => {
      t.fail('a handle was given away')
    })
    t.is(_handle.onconnection, undefined)
    _handle.onconnection = real
    const connection = once(server, 'connection')
    const peer = net.connect(path)
    const [accepted] = (await connection) as [net.Socket]
    accepted.destroy()
    await once(peer.resume(), 'close')
    t.pass()
  })
})
