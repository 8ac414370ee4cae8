/** Statistics at an endpoint: what is answered, to whom, at what cost, and when it ends. */
import net from 'node:net'
import test from 'ava'
import { createEngine, type Connection, type Engine, type EngineStats } from '../../api/index.js'
import { serveStats, type StatsAnswer } from '../../api/metrics/index.js'
import { startStatsServer } from '../../api/metrics/serve-stats.js'
import { ChildProgram } from '../helpers/child-program.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { makeTemporaryFolder, pathOf, randomName, type TemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000
const onLinux = process.platform === 'linux' ? test : test.skip

let folder: TemporaryFolder
let engine: Engine

test.before(async () => {
  folder = await makeTemporaryFolder()
  engine = await createEngine({ shards: 1 })
})

test.after.always(async () => {
  await engine.close()
  await folder.remove()
})

function dial(endpoint: string): Promise<Connection> {
  return engine.transport(endpoint, { framing: 'line' }).connect()
}

function answerOf(frame: Buffer | undefined): StatsAnswer {
  return JSON.parse(frame?.toString() ?? 'null') as StatsAnswer
}

test('a line asks, and a line of JSON answers, which tells what of the counts is its own', async (t) => {
  t.timeout(WATCHDOG_MS)
  const observed = await createEngine({ shards: 1 })
  const endpoint = folder.endpoint()
  const server = await serveStats(observed, endpoint)
  try {
    t.is(server.endpoint, endpoint)
    const client = await dial(endpoint)
    client.send('stats')
    const answer = answerOf(await client.receive())
    t.like(answer, {
      format: 'symphony-transport stats',
      version: 1,
      pid: process.pid,
      node: process.version,
      own: { listeners: 1, connections: 1 },
      leftOut: { pools: 0, reconnectingConnections: 0, breakers: 0 },
    })
    t.like(answer.stats, { listeners: 1, connections: 1, pools: [] })
    t.is(answer.stats.shards.length, 1)
    await client.close()
  } finally {
    await server.close()
    t.is((await observed.close()).leaked, 0)
  }
})

/** An engine that is watched, by a clock that stands still. */
async function serveByClock(): Promise<{ observed: Engine; endpoint: string; clock: ManualClock }> {
  const clock = new ManualClock(() => true)
  const observed = await createEngine({ shards: 1 })
  const endpoint = folder.endpoint()
  await startStatsServer(observed, endpoint, {}, clock)
  return { observed, endpoint, clock }
}

test('who asks too often, or for something else, is cut; others are still answered', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { observed, endpoint, clock } = await serveByClock()
  try {
    const [patient, greedy, other] = [await dial(endpoint), await dial(endpoint), await dial(endpoint)]
    patient.send('stats')
    const first = answerOf(await patient.receive())
    clock.advance(99)
    greedy.send('stats')
    // Within a moment all get the same snapshot.
    t.deepEqual(answerOf(await greedy.receive()), first)
    greedy.send('stats')
    t.is(await greedy.receive(), undefined)
    other.send('everything')
    t.is(await other.receive(), undefined)
    clock.advance(1)
    patient.send('stats')
    t.is(answerOf(await patient.receive()).at, first.at + 100)
  } finally {
    await observed.close()
  }
})

test('there are eight clients at most', async (t) => {
  t.timeout(WATCHDOG_MS)
  const observed = await createEngine({ shards: 1 })
  const endpoint = folder.endpoint()
  await serveStats(observed, endpoint)
  try {
    for (let i = 0; i < 8; i++) {
      const client = await dial(endpoint)
      client.send('stats')
      t.is(answerOf(await client.receive()).version, 1)
    }
    const ninth = await dial(endpoint)
    t.is(await ninth.receive(), undefined)
  } finally {
    await observed.close()
  }
})

test('who asks nothing is cut, at once or in the end, and makes room for others', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { observed, endpoint, clock } = await serveByClock()
  try {
    const asking = await dial(endpoint)
    asking.send('stats')
    await asking.receive()
    const silent = await Promise.all(Array.from({ length: 7 }, () => dial(endpoint)))
    while (clock.armed.length < 8) await new Promise(setImmediate)
    clock.advance(30_000)
    for (const client of silent) t.is(await client.receive(), undefined)
    clock.advance(3_600_000)
    asking.send('stats')
    t.is(answerOf(await asking.receive()).version, 1)
    clock.advance(7_200_000)
    t.is(await asking.receive(), undefined)
    while (clock.armed.length > 0) await new Promise(setImmediate)
  } finally {
    await observed.close()
  }
  t.pass()
})

test('who does not take an answer is cut', async (t) => {
  t.timeout(WATCHDOG_MS)
  const clock = new ManualClock(() => true)
  const observed = await createEngine({ shards: 1 })
  const endpoint = folder.endpoint()
  // More than what the system keeps for a reader.
  const padding = 'x'.repeat(900_000)
  const stats = (): EngineStats => ({ ...observed.stats(), padding }) as EngineStats
  const transport: Engine['transport'] = (...given) => observed.transport(...given)
  await startStatsServer({ transport, stats }, endpoint, {}, clock)
  const socket = net.connect(pathOf(endpoint))
  try {
    const closed = new Promise((resolve) => socket.on('error', () => undefined).once('close', resolve))
    socket.pause()
    socket.write('stats\n')
    while (observed.stats().traffic.framesSent === 0) await new Promise(setImmediate)
    clock.advance(29_999)
    t.is(observed.stats().connections, 1)
    clock.advance(30_000)
    socket.resume()
    await closed
  } finally {
    socket.destroy()
    await observed.close()
  }
})

test('of many links a part is told, and how many are left out', async (t) => {
  t.timeout(WATCHDOG_MS)
  const observed = await createEngine({ shards: 1 })
  const endpoint = folder.endpoint()
  await serveStats(observed, endpoint)
  try {
    const nowhere = observed.transport(`memory:${randomName()}`)
    for (let i = 0; i < 203; i++) nowhere.pool()
    const socket = net.connect(pathOf(endpoint))
    const answer = new Promise<string>((resolve) => {
      let text = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (text.endsWith('\n')) resolve(text)
      })
    })
    socket.write('stats\n')
    const { leftOut, stats } = answerOf(Buffer.from(await answer))
    t.is(stats.pools.length, 200)
    t.is(leftOut.pools, 3)
    socket.destroy()
  } finally {
    await observed.close()
  }
})

test('an endpoint that others can reach is refused unless that is allowed', async (t) => {
  const refused = { code: 'ERR_INVALID_OPTION', message: /other users of this machine may reach .* allowOtherUsers/ }
  if (process.platform === 'linux') await t.throwsAsync(serveStats(engine, `unix:@${randomName()}`), refused)
  if (process.platform === 'win32') {
    const open = { kind: 'pipe', name: randomName(), writableAll: true } as const
    await t.throwsAsync(serveStats(engine, open), refused)
  }
  const wrong = { allowOthers: true } as object
  await t.throwsAsync(serveStats(engine, folder.endpoint(), wrong), { message: /unknown option "?allowOthers/ })
})

onLinux('shm: carries no lines, and that is said', async (t) => {
  const refused = { code: 'ERR_INVALID_OPTION', message: /^serveStats\(\): statistics are lines, which shm: does not/ }
  await t.throwsAsync(serveStats(engine, `shm:${randomName()}`), refused)
})

onLinux('an abstract name is served where that is allowed', async (t) => {
  const observed = await createEngine({ shards: 1 })
  const server = await serveStats(observed, `unix:@${randomName()}`, { allowOtherUsers: true })
  t.regex(server.endpoint, /^unix:@/)
  await server.close()
  t.is((await observed.close()).leaked, 0)
})

test('a process whose engine only tells statistics ends by itself', async (t) => {
  t.timeout(WATCHDOG_MS)
  const program = ChildProgram.start('stats-only', [folder.endpoint()])
  const { code, lines, stderr } = await program.exit
  t.deepEqual([code, lines, stderr], [0, ['serves'], ''])
})
