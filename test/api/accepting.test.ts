/**
 * Many connections at a time: how they are reported, bounded, ordered, and released. The peers are plain `net` sockets.
 */
import { once } from 'node:events'
import net from 'node:net'
import process from 'node:process'
import { MessagePort } from 'node:worker_threads'
import test from 'ava'
import { createEngine, type Engine, type EngineOptions } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { rawFrame, RawReader } from '../helpers/raw-frames.js'
import { canCountResources, processResources } from '../helpers/process-resources.js'
import { makeTemporaryFolder, pathOf, randomName, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000

failOnWarnings()

const whereCounted = canCountResources ? test.serial : test.serial.skip

interface Place {
  readonly engine: Engine
  readonly endpoint: string
  /** A peer that is connected and has sent its name. */
  readonly peer: (name: string) => Promise<net.Socket>
}

async function withEngine(
  shards: number,
  use: (place: Place) => Promise<void>,
  options: EngineOptions = {},
): Promise<void> {
  const folder: TemporaryFolder = await makeTemporaryFolder()
  const engine = await createEngine({ shards, ...options })
  const endpoint = folder.endpoint()
  const peers: net.Socket[] = []
  const peer = async (name: string): Promise<net.Socket> => {
    const socket = net.connect(pathOf(endpoint))
    peers.push(socket)
    await once(socket, 'connect')
    socket.on('error', () => undefined)
    socket.write(rawFrame(name))
    return socket
  }
  let leaked: number | undefined
  try {
    await use({ engine, endpoint, peer })
  } finally {
    for (const socket of peers) socket.destroy()
    leaked = (await engine.close({ graceMs: 0 })).leaked
    await folder.remove()
  }
  if (leaked !== 0) throw new Error(`${String(leaked)} leaked`)
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))

/** Counts calls over the control plane and replies to the shard: everything that main posts except wake-ups. */
async function countControlMessages(during: () => Promise<void>): Promise<number> {
  const real: unknown = Reflect.get(MessagePort.prototype, 'postMessage')
  if (typeof real !== 'function') throw new Error('there is nothing to count')
  let count = 0
  MessagePort.prototype.postMessage = function (this: MessagePort, ...args: unknown[]) {
    if (typeof args[0] === 'object') count++
    Reflect.apply(real, this, args)
  }
  try {
    await during()
  } finally {
    Reflect.set(MessagePort.prototype, 'postMessage', real)
  }
  return count
}

for (const shards of [1, 2]) {
  test.serial(`a burst costs few control messages, ${String(shards)} shards`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const count = 400
    await withEngine(shards, async ({ engine, endpoint, peer }) => {
      const listener = await engine.transport(endpoint).listen((connection) => {
        connection.subscribe((frame) => void connection.send(frame))
      })
      const messages = await countControlMessages(async () => {
        const echoes = await Promise.all(
          names(count).map(async (name) => String(await new RawReader(await peer(name)).next())),
        )
        t.deepEqual(echoes, names(count))
      })
      t.is(listener.stats().accepted, count)
      t.log(`${String(messages)} messages for ${String(count)} connections`)
      t.true(messages < count / 4)
    })
  })

  test.serial(`a burst larger than the queue is served completely, ${String(shards)} shards`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const count = 300
    const maxQueuedConnections = 16 * shards
    await withEngine(shards, async ({ engine, endpoint, peer }) => {
      const listener = await engine.transport(endpoint, { maxQueuedConnections }).listen()
      const echoes = Promise.all(names(count).map(async (name) => String(await new RawReader(await peer(name)).next())))
      await until(() => listener.stats().queued === maxQueuedConnections)
      const heard: string[] = []
      for (let i = 0; i < count; i++) {
        t.true(listener.stats().queued <= maxQueuedConnections)
        const connection = await listener.accept()
        if (connection === undefined) throw new Error('the listener closed')
        const name = (await connection.receive()) ?? Buffer.alloc(0)
        heard.push(String(name))
        connection.send(name)
      }
      t.deepEqual(
        heard.sort((a, b) => Number(a) - Number(b)),
        names(count),
      )
      t.deepEqual(await echoes, names(count))
      t.deepEqual(listener.stats(), { accepted: count, open: count, queued: 0, refused: 0 })
    })
  })
}

/** What main's event loop has, and the descriptors of all threads. */
function resources(): string {
  const active = process.getActiveResourcesInfo().sort()
  return JSON.stringify({ active, ...processResources() })
}

/** However it comes. */
function closeOf(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve()
    })
    socket.resume()
  })
}

whereCounted('a listener that pauses and resumes again and again leaves nothing behind', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withEngine(1, async ({ engine, endpoint, peer }) => {
    const listener = await engine.transport(endpoint, { maxQueuedConnections: 16 }).listen()
    const pauseAndResume = async (): Promise<void> => {
      const paused = nextEvent('listener.paused')
      const resumed = nextEvent('listener.resumed')
      const peers = await Promise.all(names(16).map(peer))
      await paused
      const closed = peers.map(closeOf)
      await Promise.all(peers.map(async () => (await listener.accept())?.destroy()))
      await resumed
      await Promise.all(closed)
      // It accepts again.
      const last = await peer('last')
      const heard = new RawReader(last).next()
      const connection = await listener.accept()
      connection?.send('there')
      t.is(String(await heard), 'there')
      const gone = closeOf(last)
      await connection?.close()
      await gone
    }
    await pauseAndResume()
    const before = resources()
    for (let pause = 0; pause < 100; pause++) await pauseAndResume()
    await until(() => resources() === before)
    t.is(resources(), before)
  })
})

test.serial('connections are taken in the order in which they came, however many wait', async (t) => {
  t.timeout(WATCHDOG_MS)
  // More than there are lanes for untaken connections.
  const count = 400
  await withEngine(1, async ({ engine, endpoint, peer }) => {
    const listener = await engine.transport(endpoint).listen()
    const heard: string[] = []
    const hear = async (): Promise<void> => {
      const connection = await listener.accept()
      heard.push(String(await connection?.receive()))
    }
    for (const name of names(count)) await peer(name)
    await until(() => listener.stats().queued === count)
    for (let i = 0; i < count / 2; i++) await hear()
    // From here on some come while others still wait.
    for (const name of names(2 * count).slice(count)) {
      await peer(name)
      await hear()
    }
    while (heard.length < 2 * count) await hear()
    t.deepEqual(heard, names(2 * count))
  })
})

test.serial('untaken connections use only a few lanes', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withEngine(1, async ({ engine, endpoint, peer }) => {
    const listener = await engine.transport(endpoint).listen()
    for (const name of names(300)) await peer(name)
    await until(() => listener.stats().queued === 300)
    // 128 lanes of two rings of 8 KiB take 2 MiB; all of them would take five.
    const [shard] = engine.stats().shards
    t.true((shard?.ringMemoryInUseBytes ?? Infinity) <= 3 * 1_048_576)
  })
})

test.serial('a listener that closes cuts all connections that were not taken', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const count of [20, 300]) {
    await withEngine(1, async ({ engine, endpoint, peer }) => {
      const listener = await engine.transport(endpoint).listen()
      const peers = await Promise.all(names(count).map(peer))
      const first = await listener.accept()
      const heard = peers.map((socket) => new RawReader(socket).next().catch(() => undefined))
      await listener.close()
      // The one that was taken lives on.
      first?.send('served')
      await first?.end()
      const said = (await Promise.all(heard)).filter((frame) => frame !== undefined)
      t.deepEqual(said.map(String), ['served'])
      first?.destroy()
      await until(() => engine.stats().shards.every((shard) => shard.connections === 0))
    })
  }
})

test.serial('listeners that come and go leave no lanes behind', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withEngine(1, async ({ engine }) => {
    const memory = engine.transport('memory:again')
    const memoryNow = (): number | undefined => engine.stats().shards[0]?.ringMemoryBytes
    let before: number | undefined
    for (let round = 0; round < 30; round++) {
      const listener = await memory.listen()
      const dialled = await Promise.all(Array.from({ length: 5 }, () => memory.connect()))
      const taken = await listener.accept()
      await listener.close()
      const all = taken === undefined ? dialled : [taken, ...dialled]
      t.is(all.length, 6)
      for (const connection of all) connection.destroy()
      await Promise.all(all.map(({ closed }) => closed))
      before ??= memoryNow()
    }
    t.is(memoryNow(), before)
  })
})

test.serial('connections over maxConnections are cut, whether they came with a lane or without', async (t) => {
  t.timeout(WATCHDOG_MS)
  const count = 200
  await withEngine(1, async ({ engine, endpoint, peer }) => {
    const listener = await engine.transport(endpoint, { maxConnections: 3 }).listen(() => undefined)
    const peers = await Promise.all(names(count).map(peer))
    let cut = 0
    for (const socket of peers) socket.on('close', () => cut++).resume()
    await until(() => cut === count - 3)
    t.deepEqual(listener.stats(), { accepted: 3, open: 3, queued: 0, refused: count - 3 })
  })
})

for (const [how, options] of [
  ['in lanes', {}],
  // None of them gets a lane beforehand.
  ['by numbers', { frameTimeoutMs: 60_000 }],
] as const) {
  test.serial(
    `a shard dies while connections that it has accepted ${how} are taken one by one; the next life is not affected`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      await withEngine(
        1,
        async ({ engine, endpoint, peer }) => {
          const listener = await engine.transport(endpoint, options).listen()
          await Promise.all(names(5).map(peer))
          const first = await listener.accept()
          await until(() => listener.stats().queued >= 4)
          const restored = nextEvent('shard.restored')
          // The end of each makes room for the next: in the very turn in which their shard has died.
          const served: string[] = []
          const serving = (async () => {
            await first?.closed
            for await (const connection of listener) {
              served.push(String(await connection.receive().catch(() => undefined)))
              if (served.includes('after')) return
              await connection.closed
            }
          })()
          await strike(engine, 0, 'exit')
          await restored
          await peer('after')
          await serving
          t.true(served.includes('after'))
          await listener.close()
        },
        faultyOptions('exit'),
      )
    },
  )
}

if (process.platform === 'linux') {
  test.serial(
    'a listener that cannot be put onto every shard cuts the connections that other shards had accepted',
    async (t) => {
      t.timeout(WATCHDOG_MS)
      await withEngine(
        2,
        async ({ engine }) => {
          const name = randomName()
          await strike(engine, 1, 'stuck')
          const listening = engine.transport(`unix:@${name}`).listen()
          const failing = rejects(t, listening, 'ERR_SHARD_LOST')
          const peers: net.Socket[] = []
          while (peers.length < 3) {
            const socket = net.connect({ path: `\0${name}` })
            const connected = await new Promise<boolean>((resolve) => {
              socket.once('connect', () => {
                resolve(true)
              })
              socket.on('error', () => {
                resolve(false)
              })
            })
            if (connected) peers.push(socket.resume())
          }
          const cut = peers.map((socket) => once(socket, 'close'))
          await failing
          await Promise.all(cut)
          await until(() => engine.stats().shards[0]?.ringMemoryInUseBytes === 0)
        },
        faultyOptions('stuck'),
      )
    },
  )
}
