/** Shards that die or stand still while main writes to their sockets itself, or is about to. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type EngineOptions } from '../../api/index.js'
import { moreDescriptorsThan } from '../fixtures/left-open.js'
import { rejects } from '../helpers/expected-errors.js'
import { faultyOptions, nextEvent, strike, strikeSoon } from '../helpers/faults.js'
import { roundTrip, untilInline, writeCounts, writesSince } from '../helpers/inline-traffic.js'
import { byLength } from '../helpers/length.js'
import { canCountResources, processResources } from '../helpers/process-resources.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { turns } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
/** Each finds a duplicate at another place on its way. */
const ROUNDS = byLength({ short: 12, long: 60 })

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

/** An engine whose shards can be killed, and a plain socket that echoes. */
async function onStage(
  t: ExecutionContext,
  options: EngineOptions,
  body: (engine: Engine, connect: () => Promise<Connection>, peers: ReadonlySet<net.Socket>) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined).pipe(socket)
  })
  const engine = await createEngine({ ...faultyOptions(), shards: 1, wake: 'park', ...options })
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    await body(engine, () => engine.transport(`unix:${path}`).connect(), sockets)
  } finally {
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
    for (const socket of sockets) socket.destroy()
    server.close()
    await folder.remove()
  }
}

onUnix('a stuck shard is found also by what main has written itself, for which it has nothing to do', async (t) => {
  await onStage(t, faultyOptions('stuck'), async (engine, connect) => {
    const connection = await connect()
    await untilInline(engine, connection)
    const lost = nextEvent<{ readonly error: Error }>('shard.lost')
    await strike(engine, 0, 'stuck')
    const before = writeCounts(engine)
    const answer = rejects(t, connection.receive(), 'ERR_SHARD_LOST')
    connection.send('into the void')
    const [{ error }] = await Promise.all([lost, answer])
    const { message, stack = '' } = error.cause as Error
    t.regex(message, /while work was waiting, and was ended; it was running stuck at .+faulty-worker\.cjs:\d+$/)
    t.regex(stack, /\n {4}at stuck \(.+faulty-worker\.cjs:\d+:\d+\)\n/)
    t.is(writesSince(engine, before).inlineWrites, 1)
  })
})

const endings: readonly (readonly [string, (connection: Connection, peer: net.Socket | undefined) => unknown])[] = [
  ['destroy()', (connection) => connection.destroy()],
  ['close()', (connection) => connection.close()],
  ['end()', (connection) => connection.end()],
  // It takes what comes, and echoes it no more.
  ['an end of the peer', (_, peer) => peer?.unpipe().resume().end()],
  ['a cut by the peer', (_, peer) => peer?.destroy()],
]

for (const [what, end] of endings) {
  onUnix(`${what} while a duplicate is on its way leaves none open`, async (t) => {
    await onStage(t, {}, async (engine, connect, peers) => {
      const first = await connect()
      await untilInline(engine, first)
      const before = descriptors()
      for (let round = 0; round < ROUNDS; round++) {
        const connection = await connect()
        await untilAsked(engine, connection)
        await passTime(round)
        // An end of the peer counts once all before it was read.
        connection.subscribe(() => undefined)
        end(connection, [...peers].at(-1))
        await connection.closed
        t.is(engine.stats().ledger.byKind.duplicates.open, 1, `round ${String(round)}`)
      }
      t.is(await moreDescriptors(before), 0)
      await untilInline(engine, first)
    })
  })
}

onUnix('a shard that dies while it is asked for duplicates leaves none open, and nobody waits', async (t) => {
  await onStage(t, {}, async (engine, connect) => {
    let before = 0
    for (let round = 0; round < ROUNDS; round++) {
      const lost = nextEvent('shard.lost')
      const restored = nextEvent('shard.restored')
      const connections = await Promise.all([connect(), connect(), connect()])
      for (const connection of connections) await untilAsked(engine, connection)
      await passTime(round)
      strikeSoon(engine, 0, 'exit')
      await lost
      for (const { closed } of connections) t.is((await closed).code, 'ERR_SHARD_LOST')
      t.is(engine.stats().ledger.byKind.duplicates.open, 0)
      await restored
      // The first rounds make what a process makes once.
      if (round === 2) before = descriptors()
    }
    const last = await connect()
    t.is(String(await roundTrip(last, 'back again')), 'back again')
    last.destroy()
    await last.closed
    t.is(await moreDescriptors(before), 0)
  })
})

onUnix('an engine that closes while duplicates are on their way leaves none open, and hangs by none', async (t) => {
  await onStage(t, {}, async (first, connect) => {
    await untilInline(first, await connect())
    const endpoint = (await connect()).info.endpoint
    const before = descriptors()
    for (let round = 0; round < ROUNDS; round++) {
      const engine = await createEngine({ shards: 2, wake: 'park' })
      for (let i = 0; i < 4; i++) await untilAsked(engine, await engine.transport(endpoint).connect())
      await passTime(round)
      const { leaked, byKind } = await engine.close(round % 2 === 0 ? {} : { graceMs: 0 })
      t.is(leaked, 0, JSON.stringify(byKind))
    }
    t.is(await moreDescriptors(before), 0)
  })
})

/** Round trips until main has just asked for a duplicate, without a turn of the event loop since. */
async function untilAsked(engine: Engine, connection: Connection): Promise<void> {
  const asked = (): number => engine.stats().ledger.byKind.duplicates.opened
  const before = asked()
  for (let sent = 0; asked() === before; sent++) {
    if (sent > 0) await connection.receive()
    connection.send('ping')
    await Promise.resolve()
  }
}

/** Microtasks at first, then turns of the event loop: none, one, two. */
async function passTime(round: number): Promise<void> {
  for (let i = 0; i < round % 4; i++) await Promise.resolve()
  await turns(Math.floor(round / 4) % 3)
}

function descriptors(): number {
  return canCountResources ? processResources().descriptors : 0
}

async function moreDescriptors(before: number): Promise<number> {
  return canCountResources ? moreDescriptorsThan(before) : 0
}
