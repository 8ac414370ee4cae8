/** The death of a shard, and an abort where there is a signal, at every await of the public API. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import {
  createEngine,
  TransportError,
  type Connection,
  type Engine,
  type EngineOptions,
  type Listener,
  type Transport,
} from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { EventLog, failBoots, faultyOptions, nextEvent, strike, strikeSoon } from '../helpers/faults.js'
import { byLength } from '../helpers/length.js'
import { Random, testSeed } from '../helpers/random.js'
import { makeTemporaryFolder, randomName, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const RING_BYTES = 4096
const seed = testSeed()

failOnWarnings()

interface Scene {
  readonly t: ExecutionContext
  readonly engine: Engine
  readonly transport: Transport
  readonly listener: Listener
  readonly dialled: Connection
  readonly accepted: Connection
  readonly folder: TemporaryFolder
}

/** One shard, a listener without callback, one connection. In the end the engine has released everything. */
function scene(title: string, options: EngineOptions, body: (scene: Scene) => Promise<void>): void {
  test.serial(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const engine = await createEngine({
      ...faultyOptions(),
      shards: 1,
      initialRingBytes: RING_BYTES,
      maxRingBytes: RING_BYTES,
      ...options,
    })
    try {
      const transport = engine.transport(folder.endpoint(), { closeTimeoutMs: 600_000 })
      const listener = await transport.listen()
      const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
      if (accepted === undefined) throw new Error('the listener closed')
      await body({ t, engine, transport, listener, dialled, accepted, folder })
    } finally {
      failBoots(undefined)
      const { leaked, byKind } = await engine.close({ graceMs: 0 })
      t.is(leaked, 0, JSON.stringify(byKind))
      t.deepEqual(await folder.list(), [])
      await folder.remove()
    }
  })
}

/** Kills the shard, and resolves when everything that waited on it has settled. */
async function die(engine: Engine): Promise<void> {
  const lost = nextEvent('shard.lost')
  await strike(engine, 0, 'exit')
  await lost
}

/** More than rings and kernel hold, so that a wait for it to leave stays pending. */
function fill(connection: Connection): void {
  for (let i = 0; i < 100; i++) connection.send(Buffer.alloc(8_000, i))
}

/** An abort while the promise is pending rejects it with ERR_ABORTED and the signal's reason. */
async function abort(t: ExecutionContext, start: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController()
  const pending = rejects(t, start(controller.signal), 'ERR_ABORTED')
  const reason = new Error('enough')
  controller.abort(reason)
  t.is((await pending).cause, reason)
}

scene('receive(): a death rejects it, an abort leaves the connection usable', {}, async (scene) => {
  const { t, engine, dialled, accepted } = scene
  await abort(t, (signal) => accepted.receive({ signal }))
  dialled.send('for the next one')
  t.is(String(await accepted.receive()), 'for the next one')
  const receiving = rejects(t, accepted.receive(), 'ERR_SHARD_LOST')
  await die(engine)
  await receiving
})

scene('for await: a death ends the loop with its error', {}, async ({ t, engine, dialled, accepted }) => {
  const frames: string[] = []
  const loop = rejects(
    t,
    (async () => {
      for await (const frame of accepted) frames.push(String(frame))
    })(),
    'ERR_SHARD_LOST',
  )
  dialled.send('one')
  await until(() => frames.length === 1)
  await die(engine)
  await loop
  t.deepEqual(frames, ['one'])
})

scene('ready(): a death and an abort reject it', {}, async ({ t, engine, dialled }) => {
  fill(dialled)
  await abort(t, (signal) => dialled.ready({ signal }))
  const ready = rejects(t, dialled.ready(), 'ERR_CLOSED')
  await die(engine)
  t.is(((await ready).cause as TransportError).code, 'ERR_SHARD_LOST')
})

scene('end(): a death resolves it, an abort rejects it', {}, async ({ t, engine, dialled }) => {
  fill(dialled)
  await abort(t, (signal) => dialled.end({ signal }))
  const ended = dialled.end()
  await die(engine)
  await ended
  t.pass()
})

scene('close() and closed: a death settles them', {}, async ({ t, engine, dialled, accepted }) => {
  fill(dialled)
  const closing = dialled.close()
  await die(engine)
  for (const closed of [closing, dialled.closed, accepted.closed]) t.is((await closed).code, 'ERR_SHARD_LOST')
})

scene('close(): a death while the shard is stuck settles it', faultyOptions('stuck'), async (scene) => {
  const { t, engine, dialled, accepted } = scene
  await strike(engine, 0, 'stuck')
  t.is((await dialled.close()).code, 'ERR_SHARD_LOST')
  t.is((await accepted.closed).code, 'ERR_SHARD_LOST')
})

scene('destroy(): a death leaves it its own reason', faultyOptions('stuck'), async (scene) => {
  const { t, engine, dialled, accepted } = scene
  await strike(engine, 0, 'stuck')
  dialled.destroy()
  t.is((await dialled.closed).code, 'ERR_ABORTED')
  t.is((await accepted.closed).code, 'ERR_SHARD_LOST')
})

scene('connect(): a death rejects it, an abort too', faultyOptions('stuck'), async ({ t, engine, transport }) => {
  await strike(engine, 0, 'stuck')
  const connecting = rejects(t, transport.connect(), 'ERR_SHARD_LOST')
  await abort(t, (signal) => transport.connect({ signal }))
  await rejects(t, transport.connect({ timeoutMs: 1 }), 'ERR_TIMEOUT')
  await connecting
  t.is(engine.stats().pendingConnects, 0)
  ;(await transport.connect()).destroy()
})

scene('listen(): a death rejects it, an abort too', faultyOptions('stuck'), async ({ t, engine, folder }) => {
  const fresh = (): Transport => engine.transport(folder.endpoint())
  await strike(engine, 0, 'stuck')
  const listening = [
    rejects(t, fresh().listen(), 'ERR_SHARD_LOST'),
    rejects(t, engine.transport('memory:stuck').listen(), 'ERR_SHARD_LOST'),
  ]
  await abort(t, (signal) => fresh().listen(undefined, { signal }))
  await rejects(t, fresh().listen(undefined, { timeoutMs: 1 }), 'ERR_TIMEOUT')
  await Promise.all(listening)
  await (await fresh().listen()).close()
})

scene('accept() and listener iteration: a death leaves them waiting, close() ends them', {}, async (scene) => {
  const { t, engine, transport, listener } = scene
  await abort(t, (signal) => listener.accept({ signal }))
  const accepting = listener.accept()
  const step = listener[Symbol.asyncIterator]().next()
  const restored = nextEvent('shard.restored')
  await die(engine)
  await restored
  const dialled = await transport.connect()
  const accepted = await accepting
  dialled.send('hello')
  t.is(String(await accepted?.receive()), 'hello')
  await listener.close()
  t.true((await step).done)
  t.is(await listener.accept(), undefined)
})

scene('listener.close(): a death does not delay it', faultyOptions('stuck'), async (scene) => {
  const { t, engine, listener } = scene
  await strike(engine, 0, 'stuck')
  t.deepEqual(await listener.close(), { code: 'OK' })
  t.deepEqual(await listener.closed, { code: 'OK' })
  t.is(engine.stats().listeners, 0)
})

scene('engine.close(): a death does not delay it', faultyOptions('stuck'), async ({ t, engine }) => {
  await strike(engine, 0, 'stuck')
  t.is((await engine.close({ graceMs: 0 })).leaked, 0)
})

if (process.platform !== 'win32') {
  scene('connect() with a handshake: a death and an abort during it reject it', {}, async (scene) => {
    const { t, engine, folder } = scene
    // Accepts, and says nothing.
    const path = folder.socketPath()
    const sockets: net.Socket[] = []
    const server = net.createServer((socket) => sockets.push(socket.on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    try {
      const transport = engine.transport(`shm:${path}`)
      const connecting = rejects(t, transport.connect(), 'ERR_SHARD_LOST')
      await until(() => sockets.length === 1)
      const controller = new AbortController()
      const aborted = rejects(t, transport.connect({ signal: controller.signal }), 'ERR_ABORTED')
      await until(() => sockets.length === 2)
      controller.abort()
      await aborted
      await rejects(t, transport.connect({ timeoutMs: 1 }), 'ERR_TIMEOUT')
      t.is(engine.stats().pendingConnects, 1)
      await die(engine)
      await connecting
      t.is(engine.stats().pendingConnects, 0)
    } finally {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  scene('listener with handshakes: a death gives up those under way, and it serves on', {}, async (scene) => {
    const { t, engine, folder } = scene
    const path = folder.socketPath()
    const transport = engine.transport(`shm:${path}`)
    const listener = await transport.listen()
    const before = engine.stats().ledger.byKind.lanes.open
    const silent = net.connect(path)
    const cut = new Promise((resolve) => silent.on('error', resolve).on('close', resolve).resume())
    await until(() => engine.stats().ledger.byKind.lanes.open === before + 1)
    const restored = nextEvent('shard.restored')
    await die(engine)
    await cut
    await restored
    const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
    dialled.send('hello')
    t.is(String(await accepted?.receive()), 'hello')
    await listener.close()
  })
}

test.serial('createEngine(): a death while it starts rejects it', async (t) => {
  t.timeout(WATCHDOG_MS)
  failBoots('exits')
  try {
    await rejects(t, createEngine({ ...faultyOptions(), shards: 2 }), 'ERR_SHARD_BOOT')
  } finally {
    failBoots(undefined)
  }
})

/** The results that a call may have when the shard dies around it. */
type Outcome = 'OK' | 'ERR_SHARD_LOST' | 'ERR_CLOSED' | 'ERR_RESET' | 'ERR_TRUNCATED' | 'ERR_HANDLER'

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'OK'
  } catch (error) {
    return error instanceof TransportError ? error.code : String(error)
  }
}

function isOneOf(t: ExecutionContext, outcome: string, allowed: readonly Outcome[], when: string): void {
  t.true((allowed as readonly string[]).includes(outcome), `${when}: ${outcome}`)
}

/** Of the first turns each is a moment to die at; of the later ones some are, at most this many turns apart. */
const FIRST_TURNS = byLength({ short: 3, long: 6 })
const MOST_APART = byLength({ short: 16, long: 5 })

/** Turns after which the shard is told to die. */
function moments(most: number): number[] {
  const random = new Random(seed)
  const all: number[] = []
  for (let k = 0; k <= most; k += k < FIRST_TURNS ? 1 : random.between(1, MOST_APART)) all.push(k)
  return all
}

const kinds = [
  'socket or pipe',
  'memory',
  ...(process.platform === 'win32' ? [] : (['shm', 'shm fallen back'] as const)),
] as const

/** A new one for both ends, and whoever dials it. */
function transportsOf(
  kind: (typeof kinds)[number],
  { engine, folder }: Scene,
): { listening: Transport; dialling: Transport } {
  if (kind === 'memory' || kind === 'socket or pipe') {
    const both = engine.transport(kind === 'memory' ? `memory:${randomName()}` : folder.endpoint())
    return { listening: both, dialling: both }
  }
  const endpoint = `shm:${folder.socketPath()}`
  const dialling = engine.transport(endpoint, { memory: kind === 'shm' ? 'shared' : 'socket' })
  return { listening: engine.transport(endpoint), dialling }
}

for (const kind of kinds) {
  scene(
    `${kind}: a shard may die at any moment of connect, echo and close (seed ${String(seed)})`,
    {},
    async (scene) => {
      const { t, engine } = scene
      for (const k of moments(20)) {
        const { listening, dialling: transport } = transportsOf(kind, scene)
        const listener = await listening.listen((connection) => {
          connection.subscribe((frame) => connection.send(frame), { borrow: true })
        })
        const when = `${String(k)} turns`
        const lost = nextEvent('shard.lost')
        const restored = nextEvent('shard.restored')
        const striking = turns(k).then(() => {
          strikeSoon(engine, 0, k % 2 === 0 ? 'exit' : 'throw')
        })
        for (let round = 0; round < 200; round++) {
          const dialling = transport.connect()
          isOneOf(t, await outcomeOf(dialling), ['OK', 'ERR_SHARD_LOST'], `${when}, connect`)
          const connection = await dialling.catch(() => undefined)
          if (connection === undefined) break
          // Whether it is still open here depends on chance.
          const sent = await outcomeOf(Promise.resolve().then(() => connection.send('hello')))
          isOneOf(t, sent, ['OK', 'ERR_CLOSED'], `${when}, send`)
          const reply = await outcomeOf(connection.receive())
          isOneOf(t, reply, ['OK', 'ERR_SHARD_LOST', 'ERR_RESET'], `${when}, receive`)
          isOneOf(t, await outcomeOf(connection.end()), ['OK'], `${when}, end`)
          const { code } = await connection.close()
          isOneOf(t, code, ['OK', 'ERR_SHARD_LOST', 'ERR_RESET'], `${when}, close`)
          if (engine.stats().shards[0]?.state !== 'up') break
        }
        await striking
        await lost
        await restored
        t.deepEqual(await listener.close(), { code: 'OK' })
      }
      const { connections, dials, lanes, regions, segments, mappings } = engine.stats().ledger.byKind
      t.is(dials.opened, dials.released)
      t.deepEqual(
        [connections, lanes, regions, segments, mappings].map(({ opened, released }) => opened - released),
        [0, 0, 0, 0, 0],
      )
    },
  )

  scene(`${kind}: a shard may die at any moment of listen and close (seed ${String(seed)})`, {}, async (scene) => {
    const { t, engine } = scene
    for (const k of moments(40)) {
      const restored = nextEvent('shard.restored')
      const striking = turns(k).then(() => {
        strikeSoon(engine, 0, k % 2 === 0 ? 'exit' : 'throw')
      })
      const deaths = new EventLog('shard.lost')
      do {
        const listening = transportsOf(kind, scene).listening.listen()
        isOneOf(t, await outcomeOf(listening), ['OK', 'ERR_SHARD_LOST'], `${String(k)} turns, listen`)
        const listener = await listening.catch(() => undefined)
        if (listener !== undefined) t.deepEqual(await listener.close(), { code: 'OK' })
      } while (deaths.lines.length === 0)
      deaths.stop()
      await striking
      await restored
    }
    const { listeners, socketFiles, descriptors } = engine.stats().ledger.byKind
    t.deepEqual(
      [listeners, socketFiles, descriptors].map(({ opened, released }) => opened - released),
      // A pipe has neither file nor descriptor.
      process.platform === 'win32' ? [1, 0, 0] : [1, 1, 1],
    )
  })
}
