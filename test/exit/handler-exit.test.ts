/** What handler modules keep alive and what they do not, tested in separate processes. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { RawReader, rawFrame } from '../helpers/raw-frames.js'
import { makeTemporaryFolder, pathOf } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 20_000

interface Peer {
  readonly socket: net.Socket
  ask(frame: string): Promise<string | undefined>
}

async function withHost(
  t: ExecutionContext,
  body: (host: ChildProgram, connect: () => Promise<Peer>) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = folder.endpoint()
  const sockets: net.Socket[] = []
  const connect = async (): Promise<Peer> => {
    const socket = net.connect({ path: pathOf(endpoint) })
    sockets.push(socket)
    socket.on('error', () => undefined)
    const reader = new RawReader(socket)
    await new Promise((resolve) => socket.once('connect', resolve))
    const ask = async (frame: string): Promise<string | undefined> => {
      socket.write(rawFrame(frame))
      return (await reader.next())?.toString()
    }
    return { socket, ask }
  }
  const host = ChildProgram.start('kept-host', [endpoint])
  try {
    await host.line('open')
    await body(host, connect)
    // What process.exit() leaves behind is removed by the next listen() there.
    const { code } = await host.exit
    if (code === 0) t.deepEqual(await folder.list(), [])
  } finally {
    host.kill('SIGKILL')
    for (const socket of sockets) socket.destroy()
    await folder.remove()
  }
}

test.serial('a listener with a handler module keeps the process alive until it is closed', async (t) => {
  await withHost(t, async (host) => {
    await host.proveAlive()
    host.tell('release')
    const { code, stderr, lines } = await host.exit
    t.deepEqual([code, stderr], [0, ''])
    t.deepEqual(lines.slice(-2).sort(), ['empty', 'torn down 1'])
  })
})

test.serial(
  'a connection that is served in a shard keeps the process alive after its listener is closed',
  async (t) => {
    await withHost(t, async (host, connect) => {
      const peer = await connect()
      t.is(await peer.ask('hello'), 'hello')
      host.tell('release')
      await host.line('released')
      await host.proveAlive()
      t.is(await peer.ask('still here'), 'still here')
      peer.socket.end()
      const { code, stderr, lines } = await host.exit
      t.deepEqual([code, stderr], [0, ''])
      t.deepEqual(lines.slice(-2).sort(), ['empty', 'torn down 1'])
    })
  },
)

test.serial('process.exit() ends a process whose shards serve', async (t) => {
  await withHost(t, async (host, connect) => {
    const [peer, other] = [await connect(), await connect()]
    t.is(await other.ask('hello'), 'hello')
    t.is(await peer.ask('exit'), undefined)
    t.is(await other.ask('gone'), undefined)
    const { code, stderr } = await host.exit
    t.deepEqual([code, stderr], [7, ''])
  })
})

;(process.platform === 'win32' ? test.serial.skip : test.serial)(
  'SIGTERM: a handler at work in a shard finishes, its module is torn down, and the process ends by itself',
  async (t) => {
    await withHost(t, async (host, connect) => {
      const [peer, idle] = [await connect(), await connect()]
      t.is(await idle.ask('hello'), 'hello')
      const reply = peer.ask('wait')
      await host.line('at work')
      host.kill('SIGTERM')
      t.is(await reply, 'wait')
      const { code, signal, stderr, lines } = await host.exit
      t.deepEqual([code, signal, stderr], [0, null, ''])
      t.deepEqual(lines.slice(-4), ['closing', 'torn down 1', 'leaked 0', 'empty'])
    })
  },
)
