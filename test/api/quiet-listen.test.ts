/** A listen() that is refused because of another listener does not disturb that listener. */
import net from 'node:net'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { rejects } from '../helpers/expected-errors.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
/** On other systems the only way to ask is to connect. */
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

let folder: TemporaryFolder

failOnWarnings()

test.serial.beforeEach('a new folder', async () => {
  folder = await makeTemporaryFolder()
})

test.serial.afterEach.always('the folder is removed', async () => {
  await folder.remove()
})

async function withEngines(t: ExecutionContext, body: (one: Engine, other: Engine) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const engines = [await createEngine({ shards: 1, ...faultyOptions() }), await createEngine({ shards: 1 })] as const
  try {
    await body(...engines)
  } finally {
    for (const engine of engines) t.is((await engine.close()).leaked, 0)
  }
}

onLinux('a refused listen() makes no connection to our listener', async (t) => {
  await withEngines(t, async (engine, other) => {
    const endpoint = folder.endpoint()
    const texts: string[] = []
    const listener = await engine.transport(endpoint).listen((connection) => {
      connection.subscribe((frame) => {
        texts.push(String(frame))
        void connection.close()
      })
    })
    for (const late of [engine, other]) {
      await rejects(t, late.transport(endpoint).listen(), 'ERR_ADDRESS_IN_USE')
    }
    const connection = await other.transport(endpoint).connect()
    connection.send('ours')
    await connection.closed
    t.deepEqual(texts, ['ours'])
    t.is(listener.stats().accepted, 1)
    await listener.close()
  })
})

onLinux("nor while the listener's thread is dead, nor once it is back", async (t) => {
  await withEngines(t, async (engine, other) => {
    const endpoint = folder.endpoint()
    const listener = await engine.transport(endpoint).listen()
    const published = [nextEvent('shard.lost'), nextEvent('shard.restored')]
    await strike(engine, 0, 'exit')
    for (const step of published) {
      await step
      await rejects(t, other.transport(endpoint).listen(), 'ERR_ADDRESS_IN_USE')
    }
    const connection = await other.transport(endpoint).connect()
    connection.send('ours')
    const accepted = await listener.accept()
    t.is(String(await accepted?.receive()), 'ours', 'the first that it is given')
    await connection.close()
    t.is(listener.stats().accepted, 1)
    await listener.close()
  })
})

onLinux('nor to a listener of another program', async (t) => {
  await withEngines(t, async (engine) => {
    const path = folder.socketPath()
    const first = signal<string>()
    let connections = 0
    const server = net.createServer((socket) => {
      connections++
      socket
        .setEncoding('utf8')
        .on('data', first.resolve)
        .on('error', () => undefined)
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const client = new net.Socket()
    try {
      await rejects(t, engine.transport(`unix:${path}`).listen(), 'ERR_ADDRESS_IN_USE')
      client.connect(path).write('ours')
      t.is(await first.promise, 'ours')
      t.is(connections, 1)
      t.is((await folder.list()).length, 1)
    } finally {
      client.destroy()
      server.close()
    }
  })
})

onLinux('nor to a listener in a worker of the cluster module, by a listen() in another worker', async (t) => {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start('cluster-listeners', [folder.endpoint()])
  try {
    const { lines, stderr, code } = await child.exit
    t.is(stderr, '')
    t.is(code, 0)
    const refused = 'ERR_ADDRESS_IN_USE names the cluster module'
    t.deepEqual(lines, ['open', refused, refused, 'accepted 1'])
    t.deepEqual(await folder.list(), [])
  } finally {
    child.kill('SIGKILL')
  }
})
