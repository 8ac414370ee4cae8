/**
 * Main writes to sockets by numbers. Whatever becomes of a shard and of its sockets, and whoever gets their numbers:
 * nothing that main writes comes to another file or socket, and nothing of others is closed.
 */
import { once } from 'node:events'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { createEngine, type Connection, type Engine } from '../../api/index.js'
import { everyFault, faultyOptions, nextEvent, strikeSoon, type Fault } from '../helpers/faults.js'
import { untilInline, writeCounts } from '../helpers/inline-traffic.js'
import { byLength } from '../helpers/length.js'
import { canCountResources, processResources } from '../helpers/process-resources.js'
import { Random, testSeed } from '../helpers/random.js'
import { Strangers } from '../helpers/strangers.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { turns } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { spinUntil } from '../helpers/watching-peer.js'

const WATCHDOG_MS = 120_000
const CONNECTIONS = 12
const FILES = 300
const DEATHS = byLength({ short: 6, long: 40 })
/**
 * Of threads that take long to die, or to start. What they hold is given back as that of other threads, which show more
 * of the moments at which it can be; these show that the way there makes no difference.
 */
const SLOW_DEATHS = byLength({ short: 6, long: 15 })
const faults = byLength<readonly Fault[]>({ short: ['exit', 'rejection'], long: everyFault })

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const seed = testSeed()

/** Sockets that echo, until they are told not to. */
class Echoes {
  readonly sockets = new Set<net.Socket>()
  readonly server = net.createServer((socket) => {
    this.sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket))
    socket.pipe(socket)
  })

  close(): void {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
  }
}

for (const fault of faults) {
  const most = fault === 'memory' || fault === 'stuck' ? SLOW_DEATHS : DEATHS
  onUnix(`${fault}: what main writes while a shard dies comes to no stranger (seed ${String(seed)})`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const random = new Random(seed, faults.indexOf(fault))
    /** Main does not have to do anything for it. */
    const diesAlone = canCountResources && fault !== 'stuck'
    const folder = await makeTemporaryFolder()
    const strangers = await Strangers.open(folder.path, FILES, random)
    const echoes = new Echoes()
    const path = folder.socketPath()
    const engine = await createEngine({ ...faultyOptions(fault), shards: 1, wake: 'park' })
    try {
      await new Promise<void>((resolve) => echoes.server.listen(path, resolve))
      for (let death = 0; death < most; death++) {
        const connections = await hotConnections(engine, `unix:${path}`, strangers)
        let deaths = 0
        const isLost = (): boolean => deaths > 0
        const lost = nextEvent('shard.lost').then(() => {
          deaths++
          strangers.change(100)
          sendAll(connections)
        })
        const restored = nextEvent('shard.restored')
        for (const connection of connections) {
          // Callbacks of their ends send, and change numbers, as those of a host might.
          void connection.closed.then(() => {
            strangers.change(10)
            sendAll(connections)
          })
        }
        const before = processResources().descriptors
        strikeSoon(engine, 0, fault)
        if (diesAlone) {
          // Main knows nothing yet, and all numbers of the shard's sockets go to strangers.
          t.true(spinUntil(() => processResources().descriptors <= before - CONNECTIONS))
          strangers.add(2 * CONNECTIONS)
          for (const connection of connections) {
            sendAll([connection])
            // It is flushed alone.
            await Promise.resolve()
            await Promise.resolve()
          }
          t.false(isLost())
        }
        while (!isLost()) {
          strangers.change(60)
          // Two of one turn are written by main.
          sendAll([random.pick(connections), random.pick(connections)])
          if (random.oneIn(20)) random.pick(connections).destroy()
          if (random.oneIn(20)) [...echoes.sockets].at(random.below(4))?.destroy()
          await turns()
        }
        await lost
        await Promise.all(connections.map(({ closed }) => closed))
        strangers.change(FILES)
        await restored
        t.deepEqual(strangers.harm, [], `death ${String(death)}`)
      }
      t.true(writeCounts(engine).inlineWrites > most * CONNECTIONS)
    } finally {
      const { leaked, byKind } = await engine.close({ graceMs: 0 })
      echoes.close()
      t.is(leaked, 0, JSON.stringify(byKind))
      t.deepEqual(await strangers.close(), [])
      await folder.remove()
    }
  })
}

onUnix(
  `what main writes to peers that cut their connections comes to no stranger (seed ${String(seed)})`,
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const random = new Random(seed, 100)
    const folder = await makeTemporaryFolder()
    const strangers = await Strangers.open(folder.path, FILES, random)
    const echoes = new Echoes()
    const path = folder.socketPath()
    const engine = await createEngine({ shards: 2, wake: 'park' })
    try {
      await new Promise<void>((resolve) => echoes.server.listen(path, resolve))
      for (let round = 0; round < DEATHS; round++) {
        const connections = await hotConnections(engine, `unix:${path}`, strangers)
        let open = connections.length
        for (const connection of connections) {
          void connection.closed.then(() => {
            open--
            strangers.change(10)
            sendAll(connections)
          })
        }
        while (open > 0) {
          strangers.change(30)
          sendAll([random.pick(connections), random.pick(connections)])
          if (random.oneIn(3)) [...echoes.sockets].at(random.below(4))?.destroy()
          await turns()
        }
        t.deepEqual(strangers.harm, [], `round ${String(round)}`)
      }
    } finally {
      const { leaked, byKind } = await engine.close({ graceMs: 0 })
      echoes.close()
      t.is(leaked, 0, JSON.stringify(byKind))
      t.deepEqual(await strangers.close(), [])
      await folder.remove()
    }
  },
)

onUnix('a thread that hosts an engine closes nothing of others when it ends, however it ends', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const strangers = await Strangers.open(folder.path, FILES, new Random(seed, 200))
  const echoes = new Echoes()
  const path = folder.socketPath()
  let thread: Worker | undefined
  try {
    await new Promise<void>((resolve) => echoes.server.listen(path, resolve))
    for (let round = 0; round < SLOW_DEATHS; round++) {
      thread = new Worker(new URL('../fixtures/dialling-thread.js', import.meta.url), {
        workerData: `unix:${path}`,
      })
      let exits = 0
      thread.once('exit', () => exits++)
      t.deepEqual(await once(thread, 'message'), [0], 'duplicates')
      if (round % 3 === 0) thread.postMessage('close')
      else if (round % 3 === 1) thread.postMessage('exit')
      else void thread.terminate()
      while (exits === 0) {
        // What the thread closes is theirs at once.
        strangers.add(200)
        strangers.drop(200)
        await turns()
      }
      t.deepEqual(strangers.harm, [], `round ${String(round)}`)
    }
  } finally {
    await thread?.terminate()
    echoes.close()
    t.deepEqual(await strangers.close(), [])
    await folder.remove()
  }
})

/** Connections whose frames main writes itself. */
async function hotConnections(
  engine: Engine,
  endpoint: string,
  strangers: Strangers,
): Promise<[Connection, ...Connection[]]> {
  const connect = async (): Promise<Connection> => {
    const connection = await engine.transport(endpoint).connect()
    await untilInline(engine, connection)
    strangers.change(10)
    return connection
  }
  const connections: [Connection, ...Connection[]] = [await connect()]
  while (connections.length < CONNECTIONS) connections.push(await connect())
  for (const connection of connections) connection.subscribe(() => undefined)
  return connections
}

/** Those that are over refuse it. */
function sendAll(connections: readonly Connection[]): void {
  for (const connection of connections) {
    try {
      connection.send('to my peer and to nobody else')
    } catch {
      // It has ended.
    }
  }
}
