import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import test from 'ava'
import {
  descriptorOf,
  divertHandles,
  makeBlocking,
  readerOptions,
  socketOver,
  type SocketHandle,
} from '../../../engine/internals/socket-handle.js'
import { makeTemporaryFolder, pathOf } from '../../helpers/temporary-folder.js'
import { turns } from '../../helpers/turns.js'

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

const onUnix = process.platform === 'win32' ? test.skip : test
const onLinux = process.platform === 'linux' ? test : test.skip

async function withConnection(use: (peer: net.Socket) => void): Promise<void> {
  await withServer(async (server, path) => {
    const accepted = once(server, 'connection') as Promise<[net.Socket]>
    const peer = net.connect(path)
    await once(peer, 'connect')
    use(peer)
    peer.destroy()
    const [other] = await accepted
    other.destroy()
  })
}

onUnix('a socket has a descriptor until it is destroyed', async (t) => {
  await withConnection((peer) => {
    const fd = descriptorOf(peer)
    t.true(fd !== undefined && fs.fstatSync(fd).isSocket())
    peer.destroy()
    t.is(descriptorOf(peer), undefined)
    t.notThrows(() => {
      makeBlocking(peer)
    })
  })
})

onLinux('a socket that is made blocking is so for all that share its descriptor', async (t) => {
  const O_NONBLOCK = fs.constants.O_NONBLOCK
  await withConnection((peer) => {
    const flags = (): number => {
      const text = fs.readFileSync(`/proc/self/fdinfo/${String(descriptorOf(peer))}`, 'utf8')
      return parseInt(/^flags:\s+(\d+)$/m.exec(text)?.[1] ?? '', 8)
    }
    t.is(flags() & O_NONBLOCK, O_NONBLOCK)
    makeBlocking(peer)
    t.is(flags() & O_NONBLOCK, 0)
  })
})

onUnix('a descriptor is read into the given memory, and not before resume()', async (t) => {
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  try {
    execFileSync('mkfifo', [path])
    const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    const writer = fs.openSync(path, 'w')
    fs.writeSync(writer, 'hello')
    const memory = Buffer.alloc(16)
    let read = 0
    const callback = (length: number): boolean => {
      read += length
      return true
    }
    const socket = new net.Socket({ fd, writable: false, ...readerOptions({ buffer: memory, callback }) })
    socket.pause()
    await turns(3)
    t.is(read, 0)
    const ended = once(socket, 'end')
    socket.resume()
    fs.closeSync(writer)
    await ended
    t.is(String(memory.subarray(0, read)), 'hello')
    socket.destroy()
  } finally {
    await folder.remove()
  }
})
