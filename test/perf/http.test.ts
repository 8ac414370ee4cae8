/** An HTTP host under load: every request is counted, of every contender, and a wrong answer shows. */
import http from 'node:http'
import net from 'node:net'
import test from 'ava'
import { scenarios } from '../../perf/commands/registry.js'
import { load } from '../../perf/harness/http-load.js'
import { transports } from '../../perf/harness/meeting-place.js'
import { HOST_REPLY, sharings } from '../../perf/harness/messages.js'
import { isInstalled } from '../../perf/harness/peer-package.js'
import { answerer } from '../../perf/harness/work.js'
import { canCountResources } from '../../perf/harness/resource-counts.js'
import { parse } from '../../perf/options/parse.js'
import { closed } from '../../perf/programs/http-stack.js'
import { startHost } from '../../perf/programs/http-host.js'
import { LengthParser } from '../../perf/programs/length-parser.js'
import { SocketPool } from '../../perf/programs/socket-pool.js'
import { runHttp, type HttpPlan } from '../../perf/scenarios/http.js'
import { makeTemporaryFolder, pathOf } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000
const COUNT = 24
const CLIENTS = 4
const LAPS = 50

const plan: Omit<HttpPlan, 'folder'> = {
  rounds: 1,
  seconds: undefined,
  clients: CLIENTS,
  connections: 2,
  works: [{ micros: 1, laps: LAPS, count: COUNT, warmUp: COUNT }],
  sharings: ['lease'],
  transports,
  shards: [2],
  server: isInstalled('fastify') ? 'fastify' : 'node:http',
  hasUndici: isInstalled('undici'),
  wake: undefined,
  inlineWrites: undefined,
  pinTo: undefined,
}

const engines = transports.flatMap((transport) => [`engine ${transport}, main`, `engine ${transport}, 2 shards`])

const runs: readonly (readonly [what: string, change: Partial<HttpPlan>, names: readonly string[]])[] = [
  ['everything', {}, ['net', ...(plan.hasUndici ? ['undici'] : []), ...engines]],
  [
    'connections that many requests share, without packages of others',
    { sharings: ['pipeline'], shards: [], server: 'node:http', hasUndici: false },
    ['net, pipelined', ...transports.map((transport) => `engine ${transport}, main, pipelined`)],
  ],
]

for (const [what, change, names] of runs) {
  test(`a run of ${what} has all answers, whoever asks and answers, and releases everything`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    try {
      const [report, ...more] = await runHttp({ ...plan, ...change, folder: folder.path })
      if (report === undefined) throw new Error('there is no report')
      t.is(more.length, 0)
      t.true(report.released)
      t.deepEqual(
        report.rows.map(({ name, count, wrong }) => [name, count, wrong]),
        names.map((name) => [name, COUNT, 0]),
      )
      for (const { mainMicros } of report.rows) t.is(mainMicros !== undefined, canCountResources)
      const took = report.figures.filter(({ metric }) => metric === 'HTTP request, median')
      t.deepEqual(
        took.map(({ contender, distribution }) => [contender, distribution !== undefined]),
        names.map((name) => [name, true]),
      )
    } finally {
      await folder.remove()
    }
  })
}

for (const server of ['node:http', 'fastify'] as const) {
  const run = server === 'fastify' && !isInstalled('fastify') ? test.skip : test
  run(`an answer of the process behind ${server} that is not the one to its request is wrong`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const [behind, place] = [pathOf(folder.endpoint()), `${folder.path}/http.sock`]
    const answer = answerer('work')
    let asked = 0
    const answering = net.createServer((socket) => {
      const parser = new LengthParser((request) => {
        const right = answer(request)
        const length = Buffer.alloc(4)
        length.writeUInt32LE(right.length)
        socket.write(Buffer.concat([length, asked++ % 4 === 0 ? request : right]))
      })
      socket.on('data', (chunk: Buffer) => {
        parser.push(chunk)
      })
    })
    await new Promise<void>((resolve) => answering.listen(behind, resolve))
    const pool = await SocketPool.connect(behind, 2, 'lease')
    const close = await startHost({ server, path: place, sharing: 'lease' }, pool)
    try {
      const { wrong, took } = await load(place, CLIENTS, COUNT, LAPS)
      t.deepEqual([wrong, took.count], [COUNT / 4, COUNT])
    } finally {
      await close()
      pool.close()
      await new Promise((resolve) => answering.close(resolve))
      await folder.remove()
    }
  })
}

test('an HTTP answer with another body is wrong', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const place = `${folder.path}/http.sock`
  let asked = 0
  const server = http.createServer((_request, response) => response.end(asked++ % 4 === 0 ? 'else' : HOST_REPLY))
  await new Promise<void>((resolve) => server.listen(place, resolve))
  try {
    t.is((await load(place, CLIENTS, COUNT, 0)).wrong, COUNT / 4)
  } finally {
    await closed(server)
    await folder.remove()
  }
})

test('http takes lists of work, transports, shards and ways to share, and says what they have to be', (t) => {
  const read = (line: string) => parse(line.split(' '), scenarios)
  const given = read(`http --work 0,200 --shards 1,2 --transport ${transports.join()} --sharing lease,pipeline`)
  t.like(given, { kind: 'run', given: { work: [0, 200], shards: [1, 2], transport: transports, sharing: sharings } })
  t.like(read('http --sharing none'), {
    kind: 'wrong',
    message:
      'npm run perf: --sharing none: expected a list like a,b of which each is one of lease, pipeline. See npm run perf -- http --help.',
  })
  t.like(read('http --clients 8 --count 7'), {
    kind: 'wrong',
    message: 'npm run perf: --clients 8: each needs a request of the 7 of --count. See npm run perf -- http --help.',
  })
})
