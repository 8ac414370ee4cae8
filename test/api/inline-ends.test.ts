/** Peers see an end when the host's code asks for it, even if the host's event loop stands still from then on. */
import fs from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type EngineOptions } from '../../api/index.js'
import { untilInline } from '../helpers/inline-traffic.js'
import { nodeProgram } from '../helpers/small-children.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { spinUntil, WatchingPeer } from '../helpers/watching-peer.js'

const WATCHDOG_MS = 30_000
/** Each finds the duplicate at another place on its way. */
const ROUNDS = 10

/** Of a child. */
const PATIENT = { terminateAfterMs: 60_000, killAfterMs: 60_000 }

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

async function onStage(
  t: ExecutionContext,
  options: EngineOptions,
  body: (engine: Engine, folder: TemporaryFolder) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1, ...options })
  try {
    await body(engine, folder)
  } finally {
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
    await folder.remove()
  }
}

/** A new connection, and a peer in a thread of its own, which watches it. */
async function withPeer(
  engine: Engine,
  folder: TemporaryFolder,
  role: 'connects' | 'listens',
  body: (connection: Connection, peer: WatchingPeer) => Promise<void>,
): Promise<void> {
  const path = folder.socketPath()
  const transport = engine.transport(`unix:${path}`, { closeTimeoutMs: 600_000 })
  const arrived = signal<Connection>()
  const listener = role === 'connects' ? await transport.listen(arrived.resolve) : undefined
  const peer = await WatchingPeer.start(path, role)
  try {
    const connection = await (listener === undefined ? transport.connect() : arrived.promise)
    try {
      await body(connection, peer)
    } finally {
      connection.destroy()
      await connection.closed
    }
  } finally {
    await peer.stop()
    await listener?.close()
  }
}

for (const role of ['listens', 'connects'] as const) {
  for (const wake of ['park', 'adaptive'] as const) {
    const where = `${role === 'listens' ? 'dialled' : 'accepted'}, ${wake}`

    onUnix(`${where}: a peer sees destroy() at once, and what it writes fails, while main is blocked`, async (t) => {
      await onStage(t, { wake }, (engine, folder) =>
        withPeer(engine, folder, role, async (connection, peer) => {
          await untilInline(engine, connection)
          connection.destroy()
          t.true(peer.spinUntilEnd(), 'the end')
          t.true(peer.spinUntilWritesFail(), 'what it writes')
          t.true(peer.spinUntilClose(), 'the close')
        }),
      )
    })

    for (const way of ['end', 'close'] as const) {
      onUnix(`${where}: a peer sees ${way}() at once while main is blocked`, async (t) => {
        await onStage(t, { wake }, (engine, folder) =>
          withPeer(engine, folder, role, async (connection, peer) => {
            await untilInline(engine, connection)
            t.false(peer.hasSeenEnd)
            void connection[way]()
            t.true(peer.spinUntilEnd())
          }),
        )
      })
    }
  }
}

onUnix('what was sent just before the end comes before it', async (t) => {
  await onStage(t, {}, (engine, folder) =>
    withPeer(engine, folder, 'listens', async (connection, peer) => {
      await untilInline(engine, connection)
      connection.send('last words')
      void connection.end()
      t.true(peer.spinUntilEnd())
      t.is(String(await connection.receive()), 'last words')
    }),
  )
})

for (const way of ['end', 'close', 'destroy'] as const) {
  onUnix(`a child sees the end of its stdin at once after ${way}() while main is blocked`, async (t) => {
    await onStage(t, {}, async (engine, folder) => {
      const sign = join(folder.path, 'end')
      const child = nodeProgram('watching-child', [sign], PATIENT)
      const connection = await engine.transport(child).connect()
      await untilInline(engine, connection)
      void connection[way]()
      t.true(spinUntil(() => fs.existsSync(sign)))
      await connection.close()
    })
  })
}

onUnix('a peer sees destroy() at once also if the duplicate for main is still on its way', async (t) => {
  await onStage(t, { wake: 'park' }, async (engine, folder) => {
    // The first duplicate of a shard takes longer: the way for it has to be made.
    await withPeer(engine, folder, 'listens', (connection) => untilInline(engine, connection))
    for (let round = 0; round < ROUNDS; round++) {
      await withPeer(engine, folder, 'listens', async (connection, peer) => {
        t.true(await untilOnItsWay(engine, connection, round))
        connection.destroy()
        t.true(peer.spinUntilEnd(), `round ${String(round)}`)
      })
    }
  })
})

onUnix('a child sees the end of its stdin at once also if the duplicate for main is still on its way', async (t) => {
  await onStage(t, { wake: 'park' }, async (engine, folder) => {
    const start = async (sign: string): Promise<Connection> =>
      engine.transport(nodeProgram('watching-child', [sign], PATIENT)).connect()
    const first = await start(join(folder.path, 'first'))
    await untilInline(engine, first)
    await first.close()
    for (let round = 0; round < 3; round++) {
      const sign = join(folder.path, String(round))
      const connection = await start(sign)
      t.true(await untilOnItsWay(engine, connection, round))
      connection.destroy()
      t.true(
        spinUntil(() => fs.existsSync(sign)),
        `round ${String(round)}`,
      )
      await connection.closed
    }
  })
})

/**
 * Main has asked for a duplicate, and the shard has heard of that: it has read the echo of what main sent after it.
 * Since then main's event loop, in which it would take the duplicate, has not turned; some microtasks have run. False:
 * the echo has not come.
 */
async function untilOnItsWay(engine: Engine, connection: Connection, microtasks: number): Promise<boolean> {
  const asked = (): number => engine.stats().ledger.byKind.duplicates.opened
  const bytesRead = (): number => engine.stats().shards[0]?.bytesRead ?? 0
  const [askedBefore, readBefore] = [asked(), bytesRead()]
  let sent = 0
  const send = async (): Promise<void> => {
    connection.send('ping')
    sent += 'ping'.length + 4
    await Promise.resolve()
  }
  await send()
  while (asked() === askedBefore) {
    await connection.receive()
    await send()
  }
  for (let i = 0; i < microtasks; i++) await Promise.resolve()
  await send()
  return spinUntil(() => bytesRead() === readBefore + sent)
}
