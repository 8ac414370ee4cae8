/** Shards that die or stand still while main writes to their sockets itself, or is about to. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type EngineOptions } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { untilInline, writeCounts, writesSince } from '../helpers/inline-traffic.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

/** An engine whose shards can be killed, and a plain socket that echoes. */
async function onStage(
  t: ExecutionContext,
  options: EngineOptions,
  body: (engine: Engine, connect: () => Promise<Connection>) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).pipe(socket)
  })
  const engine = await createEngine({ ...faultyOptions(), shards: 1, wake: 'park', ...options })
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    await body(engine, () => engine.transport(`unix:${path}`).connect())
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
    const lost = nextEvent('shard.lost')
    await strike(engine, 0, 'stuck')
    const before = writeCounts(engine)
    const answer = rejects(t, connection.receive(), 'ERR_SHARD_LOST')
    connection.send('into the void')
    await Promise.all([lost, answer])
    t.is(writesSince(engine, before).inlineWrites, 1)
  })
})
