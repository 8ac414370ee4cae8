/** The real node-ipc as the peer, in a process of its own: as a server of ours, and as a client of ours. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { nodeIpcFraming, toNodeIpc, type NodeIpcConnection, type NodeIpcOptions } from '../../../api/adapters/index.js'
import { adapterPairs } from '../../helpers/adapter-pairs.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { signal, until } from '../../helpers/turns.js'
import test, { type ExecutionContext } from 'ava'

const { engine, failures, pair } = adapterPairs()

const program = fileURLToPath(new URL('../../fixtures/node-ipc-peer.js', import.meta.url))

/** On Windows node-ipc makes a pipe's name of a path. */
const onPosix = process.platform === 'win32' ? test.serial.skip : test.serial

async function withPeer(
  t: ExecutionContext,
  role: 'server' | 'client',
  body: (path: string, start: () => Promise<ChildProcess>) => Promise<void>,
): Promise<void> {
  t.timeout(60_000)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const children: ChildProcess[] = []
  try {
    await body(path, async () => {
      const child = fork(program, [role, path], { execArgv: [] })
      children.push(child)
      if (role === 'server') await once(child, 'message')
      return child
    })
  } finally {
    for (const child of children) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    await folder.remove()
  }
}

onPosix('a server of node-ipc: our client asks it, and it tells all of us', async (t) => {
  await withPeer(t, 'server', async (path, start) => {
    const child = await start()
    const transport = engine().transport(`unix:${path}`, nodeIpcFraming)
    const [here, other] = await Promise.all([0, 1].map(async () => toNodeIpc(await transport.connect())))
    if (here === undefined || other === undefined) throw new Error('there are two')
    const data = { text: 'form\ffeed, line\nfeed, 世界 \u{1f40c}', list: [1, null, false] }
    const echoed = signal<unknown>()
    here.once('echoed', echoed.resolve).emit('echo', data)
    t.deepEqual(await echoed.promise, data)

    // Longer than a read, so that it comes in pieces over there.
    const long = signal<unknown>()
    here.once('echoed', long.resolve).emit('echo', 'x'.repeat(300_000))
    t.is(await long.promise, 'x'.repeat(300_000))

    const count = 500
    const got: unknown[] = []
    const all = signal<unknown>()
    here.on('one', (i) => got.push(i)).on('all', all.resolve)
    here.emit('burst', count)
    t.is(await all.promise, false)
    t.deepEqual(
      got,
      Array.from({ length: count }, (_, i) => i),
    )

    const told = [here, other].map((one) => {
      const news = signal<unknown>()
      one.on('told', news.resolve)
      return news.promise
    })
    // A connection that is not known over there yet is not told.
    const known = signal<unknown>()
    other.once('echoed', known.resolve).emit('echo', 0)
    t.is(await known.promise, 0)
    here.emit('broadcast', 'news')
    t.deepEqual(await Promise.all(told), ['news', 'news'])

    const left = once(child, 'message')
    await Promise.all([here.close(), other.close()])
    t.deepEqual((await left)[0], 'disconnected')
    t.is((await here.closed).code, 'OK')
  })
})

onPosix('a client of node-ipc: it connects to us, speaks and answers', async (t) => {
  await withPeer(t, 'client', async (path, start) => {
    const accepted = signal<NodeIpcConnection>()
    const hello = signal<unknown>()
    const nothing = signal<unknown>()
    const listener = await engine()
      .transport(`unix:${path}`, nodeIpcFraming)
      .listen((connection) => {
        accepted.resolve(toNodeIpc(connection).on('hello', hello.resolve).on('nothing', nothing.resolve))
      })
    const child = await start()
    const peer = await accepted.promise
    t.deepEqual(await hello.promise, { id: 'peer', text: 'form\ffeed and 世界' })
    t.deepEqual(await nothing.promise, {})
    for (const data of ['text', 0, false, null, [1, { two: 2 }], 'y'.repeat(300_000)]) {
      const answer = signal<unknown>()
      peer.once('answer', answer.resolve).emit('ask', data)
      // What is falsy, and neither 0 nor false, becomes {} over there.
      t.deepEqual(await answer.promise, data ?? {})
    }
    const left = once(child, 'message')
    await peer.close()
    t.is((await left)[0], 'disconnected')
    await listener.close()
  })
})

pair(
  'listeners come and go; a promise of one holds the next message back',
  async (t, { near, far }) => {
    const here = toNodeIpc(near)
    const there = toNodeIpc(far)
    const log: string[] = []
    const gate = signal()
    const both = (data: unknown): void => void log.push(`both ${String(data)}`)
    there.once('a', (data) => void log.push(`once ${String(data)}`))
    there.on('a', both).on('b', both)
    there.on('wait', () => gate.promise)
    const last = signal()
    there.on('error', () => last.resolve())
    here.emit('a', 1)
    here.emit('a', 2)
    here.emit('unheard', 3)
    here.emit('wait')
    here.emit('b', 4)
    // A type by such a name is a message like any other.
    here.emit('error')
    await until(() => far.info.framesReceived >= 4)
    t.deepEqual(log, ['once 1', 'both 1', 'both 2'])
    there.off('a', both).off('b')
    gate.resolve()
    await last.promise
    here.emit('a', 5)
    here.emit('error')
    await until(() => near.pendingBytes === 0)
    t.deepEqual(log.slice(3), [])
  },
  nodeIpcFraming,
)

for (const [what, frame] of [
  ['no JSON', 'hello'],
  ['a message without a type', '{"data":1}'],
  ['a list', '[]'],
] as const) {
  pair(
    `${what} is no message`,
    async (t, { near, far }) => {
      const seen: string[] = []
      const got = signal<unknown>()
      toNodeIpc(near, { onInvalid: ({ code }) => seen.push(code) }).on('fine', got.resolve)
      far.send(frame)
      toNodeIpc(far).emit('fine', 1)
      t.is(await got.promise, 1)
      t.deepEqual(seen, ['ERR_INVALID_MESSAGE'])
      toNodeIpc(far).on('fine', () => undefined)
      near.send(frame)
      t.is((await far.closed).code, 'ERR_INVALID_MESSAGE')
    },
    nodeIpcFraming,
  )
}

pair(
  'a listener that fails destroys the connection, and is told of once',
  async (t, { near, far }) => {
    toNodeIpc(near)
      .on('a', () => Promise.reject(new Error('first')))
      .on('a', () => {
        throw new Error('second')
      })
    toNodeIpc(far).emit('a')
    t.is((await near.closed).code, 'ERR_HANDLER')
    t.deepEqual(failures.takeTold(), ['subscriber: second'])
  },
  nodeIpcFraming,
)

pair('what is no message of node-ipc cannot be sent, and options are checked', async (t, { near }) => {
  const here = toNodeIpc(near)
  throws(t, () => here.emit(1 as never), 'ERR_INVALID_OPTION')
  throws(t, () => here.emit('a', 1n), 'ERR_INVALID_FRAME')
  throws(t, () => here.on('a', 1 as never), 'ERR_INVALID_OPTION')
  throws(t, () => here.on(1 as never, () => 1), 'ERR_INVALID_OPTION')
  throws(t, () => toNodeIpc(near, { delimiter: 'x' } as NodeIpcOptions), 'ERR_INVALID_OPTION')
  t.is(near.info.framesSent, 0)
  here.on('a', () => undefined)
  await rejects(t, near.receive(), 'ERR_CONSUMER_BUSY')
  await here.ready()
  here.destroy()
  t.is((await here.closed).code, 'ERR_ABORTED')
})
