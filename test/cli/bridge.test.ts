/** `symphony-transport bridge` as programs, over a real server; and what is known when one of them is killed. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import test from 'ava'
import { createEngine } from '../../api/index.js'
import { listenOverNats, subscribeToNats, type ConnectionReport } from '../../api/bridge-nats/index.js'
import { natsOptions, numbers, storingStream, texts } from '../helpers/message-bridges.js'
import { natsTest } from '../helpers/nats-server.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { root, runToEnd } from '../package/project.js'

const needs = { watchdogMs: 120_000 }
const program = join(root, 'dist', 'api', 'cli', 'main.js')

interface Started {
  readonly child: ChildProcess
  /** Of stdout. */
  readonly lines: readonly string[]
  readonly ended: Promise<unknown>
}

/** Resolves once it has said that it is there. */
async function startBridge(...args: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, [program, 'bridge', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  await once(createInterface(child.stderr), 'line')
  return { child, lines, ended }
}

natsTest(
  'two programs carry connections, say what became of all frames, and end at SIGTERM',
  needs,
  async (t, server) => {
    const folder = await makeTemporaryFolder()
    const engine = await createEngine({ shards: 1 })
    const [near, far] = [folder.endpoint(), folder.endpoint()]
    const common = ['--server', server.url, '--subject', 'shop.orders', '--framing', 'line', '--json']
    const options = { framing: 'line', allowHalfOpen: true } as const
    const listener = await engine.transport(far, options).listen()
    const programs = await Promise.all([
      startBridge(...common, '--listen', near),
      startBridge(...common, '--dial', far),
    ])
    try {
      const client = await engine.transport(near, options).connect()
      for (const text of numbers(100)) client.send(text)
      const served = await listener.accept()
      if (served === undefined) throw new Error('the listener is closed')
      t.deepEqual(await texts(served, 100), numbers(100))
      for (const text of numbers(50)) served.send(text)
      t.deepEqual(await texts(client, 50), numbers(50))
      await Promise.all([client.close(), served.close()])
      for (const { child } of programs) child.kill('SIGTERM')
      const ends = await Promise.all(programs.map(({ ended }) => ended))
      t.deepEqual(ends, Array(2).fill([143, null]))
      const [asking, asked] = programs.map(({ lines }) => JSON.parse(lines.join('')) as object)
      t.like(asking, { frames: { handedOver: 100, onTheWay: 0, unconfirmed: 0, unsent: 0, received: 50 } })
      t.like(asked, { frames: { handedOver: 50, onTheWay: 0, unconfirmed: 0, unsent: 0, received: 100 } })
    } finally {
      for (const { child } of programs) child.kill('SIGKILL')
      await engine.close({ graceMs: 0 })
      await folder.remove()
    }
  },
)

natsTest(
  'when the other bridge is killed, connections end, and the fates of all frames add up',
  needs,
  async (t, server) => {
    const folder = await makeTemporaryFolder()
    const engine = await createEngine({ shards: 1 })
    const [near, far] = [folder.endpoint(), folder.endpoint()]
    const subject = 'shop.orders'
    const listener = await engine.transport(far).listen()
    const other = await startBridge('--server', server.url, '--subject', subject, '--dial', far)
    const reports: ConnectionReport[] = []
    const bridge = await listenOverNats({
      nats: natsOptions(server),
      transport: engine.transport(near, { allowHalfOpen: true }),
      subject,
      peerTimeoutMs: 1_500,
      onLoss: (report) => reports.push(report),
    })
    try {
      const client = await engine.transport(near, { allowHalfOpen: true }).connect()
      client.send('first')
      const served = await listener.accept()
      t.is(String(await served?.receive()), 'first')
      while (bridge.stats().frames.handedOver < 1) await new Promise(setImmediate)
      other.child.kill('SIGKILL')
      await other.ended
      for (const text of numbers(10)) client.send(text)
      t.is(await client.receive(), undefined)
      t.like(reports[0], { code: 'ERR_TIMEOUT', handedOver: 1, unconfirmed: 10, unsent: 0, received: 0 })
      t.is(await served?.receive(), undefined)
    } finally {
      other.child.kill('SIGKILL')
      await bridge.close({ graceMs: 0 })
      await engine.close({ graceMs: 0 })
      await folder.remove()
    }
  },
)

const storing = { ...needs, flags: ['--js'] }

natsTest(
  'what a killed bridge has not acknowledged, the next of its name gives, in order',
  storing,
  async (t, server) => {
    const folder = await makeTemporaryFolder()
    const engine = await createEngine({ shards: 1 })
    const [near, far, other] = [folder.endpoint(), folder.endpoint(), folder.endpoint()]
    const subject = 'shop.log'
    await storingStream(server, subject)
    const common = ['--server', server.url, '--subject', subject]
    const [publishing, subscribing] = await Promise.all([
      startBridge(...common, '--publish', near, '--jetstream', '--json'),
      startBridge(...common, '--subscribe', far, '--durable', 'reader'),
    ])
    const next = async () => {
      const transport = engine.transport(other)
      const bridge = await subscribeToNats({ nats: natsOptions(server), transport, subject, durable: 'reader' })
      return { bridge, reader: await transport.connect() }
    }
    let second: Awaited<ReturnType<typeof next>> | undefined
    try {
      const publisher = await engine.transport(near, { allowHalfOpen: true }).connect()
      const reader = await engine.transport(far).connect()
      for (const text of numbers(30)) publisher.send(text)
      const first = [...(await texts(reader, 10))]
      subscribing.child.kill('SIGKILL')
      await subscribing.ended
      for await (const frame of reader) first.push(String(frame))
      second = await next()
      const rest: string[] = []
      while (rest.at(-1) !== '29') rest.push(...(await texts(second.reader, 1)))
      // The last one may have been handed over, and its acknowledgement lost with the bridge.
      const from = Number(rest[0])
      t.true(from === first.length || from === first.length - 1)
      t.deepEqual([...first.slice(0, from), ...rest], numbers(30))
      await publisher.end()
      t.is(await publisher.receive(), undefined)
      publishing.child.kill('SIGTERM')
      await publishing.ended
      t.like(JSON.parse(publishing.lines.join('')), { frames: { handedOver: 30, unconfirmed: 0, unsent: 0 } })
    } finally {
      for (const { child } of [publishing, subscribing]) child.kill('SIGKILL')
      await second?.bridge.close({ graceMs: 0 })
      await engine.close({ graceMs: 0 })
      await folder.remove()
    }
  },
)

/** Nothing ends an attempt of the client's to connect, which would be over by itself after 20 s. */
const patient = `data:text/javascript,${encodeURIComponent(
  'const set = setTimeout; globalThis.setTimeout = (fn, ms, ...rest) => set(fn, ms === 20_000 ? 2 ** 31 - 1 : ms, ...rest)',
)}`

const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('a bridge that is still connecting to NATS ends at SIGTERM', async (t) => {
  t.timeout(needs.watchdogMs)
  const silent = net.createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const server = `127.0.0.1:${String((silent.address() as AddressInfo).port)}`
  const connected = once(silent, 'connection')
  const args = ['--import', patient, program, 'bridge', '--server', server, '--subject', 'a', '--dial', 'local:a']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text))
  try {
    const ended = once(child, 'close')
    await connected
    child.kill('SIGTERM')
    t.deepEqual(await ended, [143, null])
    t.is(said.join(''), `it was asked to end before it was connected to ${server}\n`)
  } finally {
    child.kill('SIGKILL')
    silent.close()
  }
})

const mistakes = [
  { args: ['--listen', 'local:a'], says: /bridge needs --subject/ },
  { args: ['--subject', 'a', '--dial', 'local:a', '--jetstream'], says: /--jetstream goes with --publish/ },
  { args: ['--subject', 'a', '--dial', 'local:a', '--server', 'nats://me:secret@host'], says: /set NATS_USER/ },
]

test('bridge: mistakes of use are one line, and show no secret', async (t) => {
  t.timeout(needs.watchdogMs)
  for (const { args, says } of mistakes) {
    const { end, stderr, stdout } = await runToEnd(process.execPath, [program, 'bridge', ...args], root, 60_000)
    t.deepEqual([end, stdout], [2, ''])
    t.regex(stderr, says)
    t.notRegex(stderr, /secret/)
    t.is(stderr.trim().split('\n').length, 1)
  }
})
