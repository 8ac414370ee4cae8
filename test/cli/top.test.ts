/** `symphony-transport top`: what it shows of two answers, and how it ends. */
import { PassThrough } from 'node:stream'
import test from 'ava'
import { top } from '../../api/cli/commands/top.js'
import type { Terminal } from '../../api/cli/terminal.js'
import { readAnswer } from '../../api/cli/top/read-answer.js'
import { view } from '../../api/cli/top/view.js'
import { createEngine } from '../../api/index.js'
import { serveStats, type StatsAnswer } from '../../api/metrics/index.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000

/** Of a real engine, so that whatever is shown is there. */
async function realAnswer(): Promise<StatsAnswer> {
  const engine = await createEngine({ shards: 2 })
  const stats = engine.stats()
  await engine.close()
  return {
    ...{ format: 'symphony-transport stats', version: 1, pid: 77, node: 'v20.0.0', at: 1_000 },
    main: { eventLoopUtilization: 0.25 },
    own: { listeners: 1, connections: 1 },
    leftOut: { pools: 3, reconnectingConnections: 0, breakers: 0 },
    stats: {
      ...stats,
      connections: 3,
      listeners: 2,
      pools: [
        {
          endpoint: `unix:/${'long/'.repeat(30)}app.sock`,
          ...{ size: 4, connecting: 0, validating: 0, idle: 1, leased: 3, waiting: 2 },
          ...{ created: 4, destroyed: 0, acquired: 100, reused: 96, reuseRate: 0.96 },
        },
      ],
      reconnectingConnections: [
        { id: '1', endpoint: 'local:\u001b[31mevil', state: 'connected', attempts: 0, losses: 5 },
      ],
      breakers: [{ endpoint: 'local:b', state: 'open', failures: 7, attempting: 0, waiting: 9 }],
    },
  }
}

test('two answers become rates, in 80 columns, and own connections are not counted', async (t) => {
  t.timeout(WATCHDOG_MS)
  const before = await realAnswer()
  const { stats } = before
  const after: StatsAnswer = {
    ...before,
    at: 3_000,
    stats: {
      ...stats,
      traffic: { ...stats.traffic, framesReceived: stats.traffic.framesReceived + 4_000 },
      pools: stats.pools.map((pool) => ({ ...pool, acquired: pool.acquired + 50 })),
      shards: stats.shards.map((shard) => ({
        ...shard,
        state: 'up',
        reads: shard.reads + 20_000,
        inlineReads: shard.inlineReads + 4_600,
        bytesRead: shard.bytesRead + 2_000_000_000,
        wakes: shard.wakes + 3,
        eventLoopUtilization: 0.5,
        eventLoopDelay: { samples: 4, meanMs: 1.5, maxMs: 9 },
      })),
    },
  }
  const lines = view('local:stats', { before, after }).split('\n')
  for (const line of lines) t.true(line.length <= 80, line)
  const text = lines.join('\n')
  t.regex(text, /^local:stats: process 77, Node v20\.0\.0$/m)
  t.regex(text, /^connections 2, listeners 1, connecting 0, full sends 0\/s, main busy 25%$/m)
  t.regex(text, /^frames: in 2\.0k\/s/m)
  t.regex(text, /^0 +up +0 +12\.3k +1\.0GB +0 +0B +1\.5 +0 +50% +1\.50$/m)
  t.regex(text, /^….*app\.sock +4 +1 +3 +2 +25$/m)
  t.regex(text, /^and 3 more$/m)
  t.regex(text, /^local:\?\[31mevil +connected +0 +5$/m)
  t.regex(text, /^local:b +open +7 +9$/m)
  t.regex(text, /^open: /m)
  t.regex(text, /^not counted: 1 for statistics$/m)
})

test('one answer has no rates, and another process before it gives none', async (t) => {
  t.timeout(WATCHDOG_MS)
  const after = await realAnswer()
  for (const before of [undefined, { ...after, pid: 78, at: 0 }]) {
    t.regex(view('local:stats', { before, after }), /^frames: in -\/s, -\/s, out -\/s, -\/s, 0 in all$/m)
  }
})

test('only statistics that are known are read', async (t) => {
  t.timeout(WATCHDOG_MS)
  const answer = await realAnswer()
  const read = (value: unknown): unknown => readAnswer(Buffer.from(JSON.stringify(value)))
  t.deepEqual(read(answer), JSON.parse(JSON.stringify(answer)))
  t.is(readAnswer(Buffer.from('hello')), 'it does not answer with statistics')
  t.is(read({ ...answer, format: 'x' }), 'it does not answer with statistics')
  t.is(read({ ...answer, version: 2 }), 'its statistics are of version 2, and this program knows version 1')
  t.is(read({ ...answer, stats: { ...answer.stats, shards: [null] } }), 'its statistics lack something')
})

function fakeTerminal(): { readonly terminal: Terminal; readonly output: PassThrough; readonly errors: PassThrough } {
  const [output, errors] = [new PassThrough({ encoding: 'utf8' }), new PassThrough({ encoding: 'utf8' })]
  const terminal = { input: new PassThrough(), output, errors, isInteractive: false, hasColours: false, columns: 80 }
  return { terminal: terminal as unknown as Terminal, output, errors }
}

test('it shows a real engine, ends when asked to, and fails when the engine goes', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  try {
    const endpoint = folder.endpoint()
    await serveStats(engine, endpoint)
    const once = fakeTerminal()
    const { signal } = new AbortController()
    t.is(await top.run({ endpoint, once: true, json: true }, { terminal: once.terminal, signal }, []), 0)
    t.is((JSON.parse(String(once.output.read())) as StatsAnswer).pid, process.pid)

    const asked = fakeTerminal()
    const stop = new AbortController()
    asked.output.once('data', () => {
      stop.abort()
    })
    t.is(await top.run({ endpoint }, { terminal: asked.terminal, signal: stop.signal }, []), 0)

    const left = fakeTerminal()
    left.output.once('data', () => void engine.close())
    t.is(await top.run({ endpoint, interval: 0.2 }, { terminal: left.terminal, signal }, []), 1)
    t.regex(String(left.errors.read()), /: it has gone/)
  } finally {
    await engine.close()
    await folder.remove()
  }
})

test('an endpoint that tells no statistics is said to be none', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  try {
    const endpoint = folder.endpoint()
    await engine.transport(endpoint, { framing: 'line' }).listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame))
    })
    const { terminal, errors } = fakeTerminal()
    const { signal } = new AbortController()
    t.is(await top.run({ endpoint, once: true }, { terminal, signal }, []), 1)
    t.regex(String(errors.read()), /it does not answer with statistics\.\n$/)
  } finally {
    await engine.close()
    await folder.remove()
  }
})
