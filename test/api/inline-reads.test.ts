/** Which frames main reads from a socket itself, by what shards count, and that all come whoever reads them. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type EngineOptions } from '../../api/index.js'
import { withEchoStage, type EchoStage } from '../helpers/echo-stage.js'
import { digestOf, frameOf } from '../helpers/frames.js'
import { readCounts, readsSince, roundTrip, untilInline, untilMainReads } from '../helpers/inline-traffic.js'
import { byLength } from '../helpers/length.js'
import { Random, testSeed } from '../helpers/random.js'
import { RestlessReading } from '../helpers/restless-reading.js'
import { nodeProgram } from '../helpers/small-children.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 120_000
/** Length of a frame before its payload. */
const HEADER_BYTES = 4
/** What main reads at once. */
const READ_BYTES = 4_096
const MANY_ROUND_TRIPS = 40
const ASLEEP = { shards: 1, wake: 'park' } as const satisfies EngineOptions
const ROUNDS = byLength({ short: 4, long: 10 })
const FRAMES = 1_500

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const seed = testSeed()

function onStage(
  t: ExecutionContext,
  options: EngineOptions,
  body: (stage: EchoStage) => Promise<void>,
): Promise<void> {
  return withEchoStage(t, options, body, WATCHDOG_MS)
}

function echoTo(connection: Connection): void {
  connection.subscribe((frame) => void connection.send(frame), { borrow: true })
}

async function assertMainReads(t: ExecutionContext, engine: Engine, connection: Connection): Promise<void> {
  const before = readCounts(engine)
  const lengths = [1, 40, 0, 700, 1_500]
  for (const length of lengths) t.is((await roundTrip(connection, Buffer.alloc(length, 'x'))).length, length)
  const inlineBytesRead = lengths.reduce((sum, length) => sum + length + HEADER_BYTES, 0)
  t.deepEqual(readsSince(engine, before), { inlineReads: lengths.length, inlineBytesRead, reads: 0, bytesRead: 0 })
}

async function assertShardReads(t: ExecutionContext, engine: Engine, connection: Connection): Promise<void> {
  for (let i = 0; i < MANY_ROUND_TRIPS; i++) await roundTrip(connection)
  const { inlineReads, reads } = readCounts(engine)
  t.is(inlineReads, 0)
  t.true(reads >= MANY_ROUND_TRIPS)
}

onUnix('after some round trips main reads each answer of a plain socket, and the shard none', async (t) => {
  await onStage(t, {}, async ({ engine, connect }) => {
    const connection = await connect()
    await untilMainReads(engine, connection)
    await assertMainReads(t, engine, connection)
    t.deepEqual(await connection.close(), { code: 'OK' })
  })
})

onUnix('both ends of a connection of two engines read themselves', async (t) => {
  await onStage(t, {}, async ({ engine, folder }) => {
    const other = await createEngine(ASLEEP)
    try {
      const endpoint = folder.endpoint()
      await other.transport(endpoint).listen(echoTo)
      const connection = await engine.transport(endpoint).connect()
      await untilMainReads(engine, connection)
      await untilMainReads(other, connection)
      for (const one of [engine, other]) await assertMainReads(t, one, connection)
    } finally {
      t.is((await other.close({ graceMs: 0 })).leaked, 0)
    }
  })
})

onUnix("inlineWrites 'never': only the shard reads", async (t) => {
  await onStage(t, {}, async ({ engine, connect }) => {
    await assertShardReads(t, engine, await connect({ inlineWrites: 'never' }))
  })
})

onUnix('a framing that the shard translates is read by the shard', async (t) => {
  await onStage(t, {}, async ({ engine, connect }) => {
    await assertShardReads(t, engine, await connect({ framing: 'line' }))
  })
})

onUnix('what a child writes is read by the shard', async (t) => {
  await onStage(t, {}, async ({ engine }) => {
    const connection = await engine.transport(nodeProgram('echo-child', [])).connect()
    await untilInline(engine, connection)
    await assertShardReads(t, engine, connection)
    await connection.close()
  })
})

onUnix(
  'a large answer is read by the shard from its second piece on, and small ones by main again later',
  async (t) => {
    await onStage(t, {}, async ({ engine, connect }) => {
      const connection = await connect()
      await untilMainReads(engine, connection)
      const before = readCounts(engine)
      const large = frameOf(100_000, 1)
      t.deepEqual(await roundTrip(connection, large), large)
      const { inlineBytesRead, bytesRead } = readsSince(engine, before)
      t.true(inlineBytesRead <= READ_BYTES)
      t.is(inlineBytesRead + bytesRead, large.length + HEADER_BYTES)
      await untilMainReads(engine, connection)
      await assertMainReads(t, engine, connection)
    })
  },
)

onUnix('a connection whose frames are not taken is read by the shard, as far as there is room', async (t) => {
  await onStage(t, {}, async ({ engine, connect }) => {
    const connection = await connect()
    await untilMainReads(engine, connection)
    const before = readCounts(engine)
    const frame = frameOf(2_000, 1)
    const count = 20
    for (let i = 0; i < count; i++) {
      connection.send(frame)
      await turns(3)
    }
    await until(() => readsSince(engine, before).reads > 0)
    for (let i = 0; i < count; i++) t.deepEqual(await connection.receive(), frame)
  })
})

onUnix('main reads on while a connection is back in its pool, and one that ends there is not lent', async (t) => {
  await onStage(t, {}, async ({ engine, folder }) => {
    const peers: net.Socket[] = []
    const path = folder.socketPath()
    const server = net.createServer((socket) => {
      peers.push(socket)
      socket.on('error', () => undefined).pipe(socket)
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    try {
      const pool = engine.transport(`unix:${path}`).pool({ max: 1 })
      await pool.use(async (connection) => {
        await untilMainReads(engine, connection)
      })
      const before = readCounts(engine)
      await pool.use(async (connection) => {
        await roundTrip(connection)
      })
      t.is(readsSince(engine, before).reads, 0)
      await pool.use(async (connection) => {
        await untilMainReads(engine, connection)
      })
      peers[0]?.end()
      await until(() => engine.stats().connections === 0)
      await pool.use(async (connection) => {
        t.is(String(await roundTrip(connection, 'another')), 'another')
      })
      await pool.close()
    } finally {
      for (const peer of peers) peer.destroy()
      server.close()
    }
  })
})

/** Sends frames of all lengths, alone and in bursts, and takes what comes back in all ways. Resolves with both. */
async function exchange(connection: Connection, random: Random): Promise<{ sent: Buffer[]; received: Buffer[] }> {
  const sent: Buffer[] = []
  const received: Buffer[] = []
  const receiving = (async () => {
    while (received.length < FRAMES) {
      if (random.oneIn(4)) {
        const frame = await connection.receive()
        if (frame === undefined) throw new Error(`the stream ended behind frame ${String(received.length)}`)
        received.push(frame)
        if (random.oneIn(10)) await turns(random.below(10))
        continue
      }
      const most = Math.min(FRAMES - received.length, random.between(1, 50))
      const borrow = random.oneIn(2)
      await new Promise<void>((resolve) => {
        let count = 0
        const stop = connection.subscribe(
          (frame) => {
            received.push(borrow ? Buffer.from(frame) : frame)
            if (++count === most) {
              stop()
              resolve()
            }
          },
          { borrow },
        )
      })
    }
  })()
  while (sent.length < FRAMES) {
    const burst = random.oneIn(20) ? random.between(2, 20) : 1
    for (let i = 0; i < burst && sent.length < FRAMES; i++) {
      const frame = frameOf(random.oneIn(30) ? random.below(40_000) : random.below(200), sent.length)
      sent.push(frame)
      if (!connection.send(frame)) await connection.ready()
    }
    const answered = random.oneIn(40) ? 0 : sent.length - random.below(3)
    await Promise.race([receiving, until(() => received.length >= answered)])
    if (random.oneIn(20)) await turns(random.below(5))
  }
  await receiving
  return { sent, received }
}

for (const wake of ['park', 'adaptive'] as const) {
  for (const peer of ['a plain socket', 'another engine'] as const) {
    onUnix(
      `${wake}: however often main and shard take turns in reading from ${peer}, all comes (seed ${String(seed)})`,
      async (t) => {
        const restless = new RestlessReading(new Random(seed, 1))
        try {
          for (let round = 0; round < ROUNDS; round++) {
            const random = new Random(seed, 2, round)
            const options = { wake, initialRingBytes: random.pick([4_096, 8_192, 131_072]), maxRingBytes: 524_288 }
            await onStage(t, options, async ({ engine, folder, connect }) => {
              const other = await createEngine({ ...ASLEEP, ...options })
              try {
                const endpoint = folder.endpoint()
                await other.transport(endpoint).listen(echoTo)
                const connection = await (peer === 'another engine' ? engine.transport(endpoint).connect() : connect())
                const { sent, received } = await exchange(connection, random)
                t.is(digestOf(received), digestOf(sent), `round ${String(round)}`)
                const { inlineReads, reads } = readCounts(engine)
                t.true(inlineReads > 50 && reads > 50, `${String(inlineReads)} of main, ${String(reads)} of the shard`)
                t.deepEqual(await connection.close(), { code: 'OK' })
              } finally {
                t.is((await other.close({ graceMs: 0 })).leaked, 0)
              }
            })
          }
        } finally {
          restless.stop()
        }
      },
    )
  }
}
