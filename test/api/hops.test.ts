/** Hops of round trips as `engine.stats()` shows them: their numbers, since their times are up to the machine. */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine, type HopName } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { withEchoStage } from '../helpers/echo-stage.js'
import { throws } from '../helpers/expected-errors.js'
import { roundTrip, untilMainReads } from '../helpers/inline-traffic.js'
import { withSharedEngines } from '../helpers/shared-engines.js'
import { canShareMemory } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const ROUND_TRIPS = 20

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

function counts(engine: Engine): Partial<Record<HopName, number>> {
  const taken = engine.stats().hops?.filter(({ count }) => count > 0) ?? []
  return Object.fromEntries(taken.map(({ hop, count }) => [hop, count]))
}

const BY_SHARD = {
  sendToFlush: ROUND_TRIPS,
  flushToShard: ROUND_TRIPS,
  shardToWritten: ROUND_TRIPS,
  writtenToRead: ROUND_TRIPS,
  readToMain: ROUND_TRIPS,
  mainToHost: ROUND_TRIPS,
  hostToSend: ROUND_TRIPS - 1,
}

test.serial('each round trip by way of the shard has each of its hops once', async (t) => {
  await withEchoStage(t, { traceHops: true, inlineWrites: 'never' }, async ({ engine, endpoint }) => {
    const connection = await engine.transport(endpoint).connect()
    for (let i = 0; i < ROUND_TRIPS; i++) await roundTrip(connection)
    t.deepEqual(counts(engine), BY_SHARD)
  })
})

test.serial('a subscriber has the same hops as whoever receives', async (t) => {
  await withEchoStage(t, { traceHops: true, inlineWrites: 'never' }, async ({ engine, endpoint }) => {
    const connection = await engine.transport(endpoint).connect()
    await new Promise<void>((resolve) => {
      let left = ROUND_TRIPS
      connection.subscribe(() => {
        if (--left === 0) resolve()
        else connection.send('ping')
      })
      connection.send('ping')
    })
    t.deepEqual(counts(engine), BY_SHARD)
  })
})

onUnix('a round trip that main makes without the shard has the hops of main', async (t) => {
  await withEchoStage(t, { traceHops: true }, async ({ engine, endpoint }) => {
    const connection = await engine.transport(endpoint).connect()
    await untilMainReads(engine, connection)
    engine.resetHops()
    for (let i = 0; i < ROUND_TRIPS; i++) await roundTrip(connection)
    t.deepEqual(counts(engine), {
      sendToFlush: ROUND_TRIPS,
      flushToWritten: ROUND_TRIPS,
      writtenToRead: ROUND_TRIPS,
      mainToHost: ROUND_TRIPS,
      hostToSend: ROUND_TRIPS,
    })
  })
})

test.serial('the side that answers has hops too, from one question to the next', async (t) => {
  const asking = await createEngine({ shards: 1 })
  try {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const answering = await createEngine({ shards: 1, traceHops: true, inlineWrites: 'never' })
    try {
      const endpoint = folder.endpoint()
      await answering.transport(endpoint).listen((connection) => {
        connection.subscribe((frame) => connection.send(frame))
      })
      const connection = await asking.transport(endpoint).connect()
      for (let i = 0; i <= ROUND_TRIPS; i++) await roundTrip(connection)
      t.deepEqual(counts(answering), { ...BY_SHARD, hostToSend: ROUND_TRIPS })
      t.is(asking.stats().hops, undefined)
    } finally {
      await answering.close({ graceMs: 0 })
      await folder.remove()
    }
  } finally {
    await asking.close({ graceMs: 0 })
  }
})

test.serial('what is no batch is refused as without a trace', async (t) => {
  await withEchoStage(t, { traceHops: true }, async ({ engine, endpoint }) => {
    const connection = await engine.transport(endpoint).connect()
    for (const wrong of [undefined, null, 7, 'text', Buffer.from('bytes')])
      throws(t, () => connection.sendBatch(wrong as unknown as string[]), 'ERR_INVALID_FRAME')
    t.true(connection.sendBatch([]))
    await roundTrip(connection)
  })
})

const whereShared = canShareMemory ? test.serial : test.serial.skip

whereShared('over shared memory main writes and reads itself', async (t) => {
  const options = { dialling: { traceHops: true, wake: 'park' } } as const
  await withSharedEngines(t, options, async ({ dialling, pair }) => {
    const { dialled, accepted } = await pair()
    accepted.subscribe((frame) => accepted.send(frame))
    for (let i = 0; i < ROUND_TRIPS; i++) await roundTrip(dialled)
    t.deepEqual(counts(dialling), {
      sendToFlush: ROUND_TRIPS,
      flushToWritten: ROUND_TRIPS,
      writtenToRead: ROUND_TRIPS,
      mainToHost: ROUND_TRIPS,
      hostToSend: ROUND_TRIPS - 1,
    })
  })
})

test.serial('hops that were traced are forgotten when the host says so', async (t) => {
  await withEchoStage(t, { traceHops: true, inlineWrites: 'never' }, async ({ engine, endpoint }) => {
    const connection = await engine.transport(endpoint).connect()
    await roundTrip(connection)
    t.is(counts(engine).sendToFlush, 1)
    engine.resetHops()
    t.deepEqual(counts(engine), {})
    await roundTrip(connection)
    t.deepEqual([counts(engine).sendToFlush, counts(engine).hostToSend], [1, 1])
  })
})

test.serial('by default there are no hops, and main reads no clock for them', async (t) => {
  const { hrtime } = process
  let looks = 0
  await withEchoStage(t, {}, async ({ engine, endpoint }) => {
    const connection = await engine.transport(endpoint).connect()
    await roundTrip(connection)
    process.hrtime = Object.assign((before?: [number, number]) => {
      looks++
      return hrtime(before)
    }, hrtime)
    try {
      for (let i = 0; i < ROUND_TRIPS; i++) await roundTrip(connection)
    } finally {
      process.hrtime = hrtime
    }
    t.is(engine.stats().hops, undefined)
    t.false('hops' in engine.stats())
    t.notThrows(() => {
      engine.resetHops()
    })
  })
  t.is(looks, 0)
})

/** What the program prints to stderr. */
async function stderrOf(t: ExecutionContext, debug: string): Promise<string> {
  const folder = await makeTemporaryFolder()
  const child = ChildProgram.start('traced', [folder.endpoint()], { env: { NODE_DEBUG: debug } })
  try {
    const { code, lines, stderr } = await child.exit
    t.deepEqual([code, lines], [0, ['hello']], stderr)
    return stderr
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
}

test.serial('NODE_DEBUG=symphony-hops has every engine trace hops and print them when it closes', async (t) => {
  t.timeout(WATCHDOG_MS)
  const lines = (await stderrOf(t, 'symphony-hops')).trimEnd().split('\n')
  for (const line of lines)
    t.regex(line, /^SYMPHONY-HOPS \d+: \w+: \d+, mean [\d.]+, p50 [\d.]+, p99 [\d.]+, max [\d.]+ us$/)
  t.regex(lines.join('\n'), /sendToFlush: 1, mean/)
  t.is(await stderrOf(t, 'another-package'), '')
})
