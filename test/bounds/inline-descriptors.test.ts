/** How many descriptors main takes for what it writes itself, however many connections there are. */
import net from 'node:net'
import test from 'ava'
import { createEngine, type Connection } from '../../api/index.js'
import { moreDescriptorsThan } from '../fixtures/left-open.js'
import { ChildProgram } from '../helpers/child-program.js'
import { roundTrip, untilInline, writeCounts } from '../helpers/inline-traffic.js'
import { byLength } from '../helpers/length.js'
import { canCountResources, processResources } from '../helpers/process-resources.js'
import { Random, testSeed } from '../helpers/random.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 120_000
const MOST_DUPLICATES = 64
const BUSY = 200
const ROUND_TRIPS = byLength({ short: 5_000, long: 20_000 })
const IDLE = byLength({ short: 500, long: 5_000 })
/** Connected at a time, so that the listener keeps up. */
const AT_ONCE = 100

failOnWarnings()

const declare = canCountResources ? test.serial : test.serial.skip
const seed = testSeed()

declare(
  `${String(BUSY)} connections in round trips have 64 more descriptors, and no more (seed ${String(seed)})`,
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const random = new Random(seed)
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    let peers = 0
    const server = net.createServer((socket) => {
      peers++
      socket
        .on('error', () => undefined)
        .on('close', () => peers--)
        .pipe(socket)
    })
    const engine = await createEngine({ shards: 1, wake: 'park' })
    const duplicates = (): number => engine.stats().ledger.byKind.duplicates.open
    try {
      await new Promise<void>((resolve) => server.listen(path, resolve))
      const transport = engine.transport(`unix:${path}`)
      // What carries duplicates from the shard stays.
      const first = await transport.connect()
      await untilInline(engine, first)
      await first.close()
      await until(() => peers === 0)
      const empty = processResources().descriptors
      const connections: [Connection, ...Connection[]] = [await transport.connect()]
      while (connections.length < BUSY) connections.push(await transport.connect())
      await until(() => peers === BUSY)
      const before = processResources().descriptors
      let most = 0
      for (let i = 0; i < ROUND_TRIPS; i++) {
        // Most use a few, which change: so some are given up for others.
        const hot = Math.floor(i / 2_000) * 20
        const connection = random.oneIn(4) ? random.pick(connections) : connections[(hot + random.below(20)) % BUSY]
        await roundTrip(connection ?? connections[0])
        if (i % 50 !== 0) continue
        most = Math.max(most, processResources().descriptors - before)
        t.true(duplicates() <= MOST_DUPLICATES)
      }
      for (const connection of connections) for (let i = 0; i < 5; i++) await roundTrip(connection)
      t.is(duplicates(), MOST_DUPLICATES)
      // The last one may have been on its way.
      await until(() => processResources().descriptors - before === MOST_DUPLICATES)
      t.true(most <= MOST_DUPLICATES, `${String(most)} more`)
      t.true(writeCounts(engine).inlineWrites > ROUND_TRIPS / 4)
      for (const connection of connections) connection.destroy()
      await Promise.all(connections.map(({ closed }) => closed))
      t.is(duplicates(), 0)
      t.is(await moreDescriptorsThan(empty), 0)
    } finally {
      t.is((await engine.close({ graceMs: 0 })).leaked, 0)
      server.close()
      await folder.remove()
    }
  },
)

declare(`${String(IDLE)} idle connections have no more descriptors than themselves`, async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const listener = ChildProgram.start('quiet-listener', [path], { manyFiles: true })
  const engine = await createEngine({ shards: 2, initialRingBytes: 4_096 })
  try {
    await listener.line('up')
    const transport = engine.transport(`unix:${path}`, { connectTimeoutMs: 60_000 })
    const before = processResources().descriptors
    for (let i = 0; i < IDLE; i += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => transport.connect()))
    t.is(engine.stats().connections, IDLE)
    t.is(processResources().descriptors - before, IDLE)
    t.is(engine.stats().ledger.byKind.duplicates.opened, 0)
  } finally {
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    listener.kill('SIGKILL')
    await listener.exit
    await folder.remove()
  }
})
