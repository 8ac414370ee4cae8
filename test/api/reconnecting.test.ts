/** Reconnecting connections over real transports, under losses of every kind. */
import test, { type ExecutionContext } from 'ava'
import {
  createEngine,
  type Engine,
  type EngineOptions,
  type LossReport,
  type ReconnectingConnection,
  type TransportOptions,
} from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { EventLog, faultyOptions, nextEvent, strike, type Fault } from '../helpers/faults.js'
import { byLength } from '../helpers/length.js'
import { nativeMemories } from '../helpers/native-memories.js'
import { PeerServer, numbered } from '../helpers/peer-server.js'
import { randomName, makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
/** Of worker threads, one after the other. */
const DEATHS = byLength({ short: 3, long: 6 })
/** No breaker: the peer may take its time to appear. */
const quick = { backoff: { initialMs: 1, maxMs: 20 }, breaker: false } as const

failOnWarnings()

interface Stage {
  readonly engine: Engine
  /** The engine of the peer: another one than the engine under test, which loses its threads. */
  readonly far: Engine
  readonly endpoint: string
}

type Kind = 'unix' | 'memory' | 'shm'

/** Those whose connections die with their shards. */
const carriedKinds: readonly Kind[] = process.platform === 'win32' ? ['memory'] : ['unix', 'memory']
/** What becomes of frames over shared memory is tested at each length in shared-memory-engines.test.ts. */
const kinds: readonly Kind[] = byLength({
  short: carriedKinds,
  long: nativeMemories.length === 0 ? carriedKinds : [...carriedKinds, 'shm'],
})

async function onStage(
  t: ExecutionContext,
  kind: Kind,
  options: EngineOptions,
  body: (stage: Stage) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder: TemporaryFolder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1, ...options })
  const far = kind === 'memory' ? engine : await createEngine({ shards: 1 })
  const endpoint = kind === 'memory' ? `memory:${randomName()}` : `${kind}:${folder.socketPath()}`
  try {
    await body({ engine, far, endpoint })
  } finally {
    for (const one of new Set([engine, far])) {
      const { leaked, byKind } = await one.close({ graceMs: 0 })
      t.is(leaked, 0, JSON.stringify(byKind))
    }
    await folder.remove()
  }
}

function forEachKind(
  title: string,
  body: (t: ExecutionContext, stage: Stage) => Promise<void>,
  options: EngineOptions = {},
  of = kinds,
): void {
  for (const kind of of) {
    test.serial(`${kind}: ${title}`, (t) => onStage(t, kind, options, (stage) => body(t, stage)))
  }
}

/** Sends numbered frames until it is stopped, and waits for room as a careful sender does. */
class Sender {
  sent = 0
  readonly #reconnecting: ReconnectingConnection
  readonly #bytes: number
  #stopped = false
  readonly done: Promise<void>

  constructor(reconnecting: ReconnectingConnection, bytes: number) {
    this.#reconnecting = reconnecting
    this.#bytes = bytes
    this.done = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.done
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      for (let i = 0; i < 50; i++) {
        if (!this.#reconnecting.send(numbered(this.sent++, this.#bytes))) await this.#reconnecting.ready()
      }
      await turns()
    }
  }
}

/** Every frame sent is accounted for once: on which connection it left, and that nothing came twice or out of order. */
function account(t: ExecutionContext, sent: number, reports: readonly LossReport[], peer: PeerServer): void {
  const received = peer.heard.filter(({ numbers }) => numbers.length > 0)
  let next = 0
  for (const report of reports) {
    const uncertain = report.unconfirmed.map((frame) => Number.parseInt(String(frame.subarray(0, 12)), 10))
    const left = next + report.handedOver
    t.deepEqual(
      uncertain,
      uncertain.map((_, i) => left + i),
      'unconfirmed frames follow those handed over',
    )
    const end = left + uncertain.length
    const heard = received.find(({ numbers }) => (numbers[0] ?? -1) >= next && (numbers[0] ?? -1) < end)
    if (heard !== undefined) {
      t.deepEqual(
        heard.numbers,
        heard.numbers.map((_, i) => next + i),
      )
      t.true(next + heard.numbers.length <= end, 'no frame that was reported unsent arrived')
    }
    t.deepEqual(report.dropped, [])
    next = end
  }
  const last = received.at(-1)?.numbers ?? []
  t.deepEqual(
    last,
    last.map((_, i) => next + i),
  )
  t.is(next + last.length, sent, 'the last connection had all the rest')
}

forEachKind(
  'when a peer is killed under traffic, every frame is accounted for',
  async (t, { engine, far, endpoint }) => {
    const peer = await new PeerServer(far, endpoint).listen()
    const reports: LossReport[] = []
    const reconnecting = engine.transport(endpoint).reconnecting({ ...quick, onLoss: (report) => reports.push(report) })
    const sender = new Sender(reconnecting, 300)
    for (let i = 1; i <= 25; i++) {
      await until(() => peer.heard.length === i && (peer.last?.numbers.length ?? 0) > 5 * i)
      peer.kill()
    }
    await until(() => peer.heard.length === 26)
    await sender.stop()
    t.is((await reconnecting.close()).code, 'OK')
    t.is(reports.length, 25)
    await until(() => (peer.last?.numbers.at(-1) ?? 0) === sender.sent - 1)
    account(t, sender.sent, reports, peer)
    await peer.close()
  },
)

forEachKind(
  'large frames that stream through the ring survive a loss whole',
  async (t, { engine, far, endpoint }) => {
    const peer = new PeerServer(far, endpoint)
    peer.isDeaf = true
    await peer.listen()
    const reports: LossReport[] = []
    const reconnecting = engine.transport(endpoint).reconnecting({ ...quick, onLoss: (report) => reports.push(report) })
    const frames = Array.from({ length: 6 }, (_, i) => numbered(i, 2_500_000 + i))
    for (const frame of frames) reconnecting.send(frame)
    await until(() => peer.heard.length === 1 && reconnecting.state === 'connected')
    const { connection } = peer.heard[0] ?? {}
    const first = await connection?.receive()
    t.true(first?.equals(frames[0] ?? Buffer.alloc(0)))
    peer.kill()
    await until(() => peer.heard.length === 2)
    const got: Buffer[] = []
    peer.last?.connection.subscribe((frame) => got.push(frame))
    const [report] = reports
    if (report === undefined) throw new Error('no report')
    const { handedOver, unconfirmed, resent } = report
    t.true(resent >= 1)
    const rest = frames.slice(handedOver + unconfirmed.length)
    await until(() => got.length === rest.length)
    rest.forEach((frame, i) => t.true(got[i]?.equals(frame)))
    await reconnecting.close()
    await peer.close()
  },
  { maxRingBytes: 32_768 },
)

for (const fault of ['exit', 'throw'] as const satisfies readonly Fault[]) {
  forEachKind(
    `when worker threads die under traffic (${fault}), every frame is accounted for`,
    async (t, { engine, far, endpoint }) => {
      const peer = await new PeerServer(far, endpoint).listen()
      const reports: LossReport[] = []
      const reconnecting = engine
        .transport(endpoint)
        .reconnecting({ ...quick, onLoss: (report) => reports.push(report) })
      const sender = new Sender(reconnecting, 300)
      for (let i = 1; i <= DEATHS; i++) {
        await until(() => peer.heard.length === i && (peer.last?.numbers.length ?? 0) > 20 * i)
        await strike(engine, 0, fault)
        await until(() => reports.length === i)
        t.is(reports.at(-1)?.code, 'ERR_SHARD_LOST')
      }
      await until(() => peer.heard.length === DEATHS + 1)
      await sender.stop()
      t.is((await reconnecting.close()).code, 'OK')
      await until(() => (peer.last?.numbers.at(-1) ?? 0) === sender.sent - 1)
      account(t, sender.sent, reports, peer)
      await peer.close()
    },
    faultyOptions(fault),
    carriedKinds,
  )
}

forEachKind(
  'a peer that ends cleanly is a loss too, with or without a reader',
  async (t, { engine, far, endpoint }) => {
    const peer = new PeerServer(far, endpoint)
    peer.isDeaf = true
    await peer.listen()
    const reports: LossReport[] = []
    const reconnecting = engine.transport(endpoint).reconnecting({ ...quick, onLoss: (report) => reports.push(report) })
    for (let i = 1; i <= 3; i++) {
      await until(() => peer.heard.length === i && reconnecting.state === 'connected')
      peer.last?.connection.send(`${String(i)}a`)
      peer.last?.connection.send(`${String(i)}b`)
      void peer.last?.connection.close()
    }
    await until(() => peer.heard.length === 4)
    t.is(reports.length, 0)
    const got: string[] = []
    for (let i = 0; i < 6; i++) {
      const frame = await reconnecting.receive()
      got.push(`${String(reports.length)} ${String(frame)}`)
    }
    t.deepEqual(got, ['0 1a', '0 1b', '1 2a', '1 2b', '2 3a', '2 3b'])
    await until(() => reports.length === 3)
    t.deepEqual(
      reports.map(({ code }) => code),
      ['OK', 'OK', 'OK'],
    )
    await reconnecting.close()
    await peer.close()
  },
)

forEachKind('every kind of reader goes on across losses', async (t, { engine, far, endpoint }) => {
  const peer = await new PeerServer(far, endpoint, {}, true).listen()
  const reconnecting = engine.transport(endpoint).reconnecting(quick)
  const echoOf = async (text: string): Promise<void> => {
    await reconnecting.connected()
    reconnecting.send(text)
  }
  await echoOf('1')
  t.is(String(await reconnecting.receive()), '1')
  const kill = async (): Promise<void> => {
    const before = peer.heard.length
    peer.kill()
    await until(() => peer.heard.length > before && reconnecting.state === 'connected')
  }
  const pending = reconnecting.receive()
  await kill()
  await echoOf('2')
  t.is(String(await pending), '2')
  const looped: string[] = []
  const loop = (async () => {
    for await (const frame of reconnecting) if (looped.push(String(frame)) === 2) break
  })()
  await echoOf('3')
  await until(() => looped.length === 1)
  await kill()
  await echoOf('4')
  await loop
  t.deepEqual(looped, ['3', '4'])
  for (const borrow of [true, false]) {
    const got: string[] = []
    const stop = reconnecting.subscribe((frame) => got.push(String(frame)), { borrow })
    await echoOf('5')
    await until(() => got.length === 1)
    await kill()
    await echoOf('6')
    await until(() => got.length === 2)
    t.deepEqual(got, ['5', '6'])
    stop()
  }
  t.like(reconnecting.info, {
    kind: endpoint.slice(0, endpoint.indexOf(':')),
    endpoint,
    shard: 0,
    framesReceived: 8,
  })
  await reconnecting.close()
  await peer.close()
})

forEachKind('it waits for its peer to come, and for it to come back', async (t, { engine, far, endpoint }) => {
  const reconnecting = engine.transport(endpoint).reconnecting(quick)
  t.false(reconnecting.send('early'))
  await until(() => reconnecting.attempts > 3)
  const peer = await new PeerServer(far, endpoint, {}, true).listen()
  t.is(String(await reconnecting.receive()), 'early')
  t.is(engine.stats().reconnectingConnections.length, 1)
  t.like(engine.stats().reconnectingConnections[0], { endpoint, state: 'connected', losses: 0 })
  await peer.close()
  await until(() => reconnecting.state === 'waiting')
  reconnecting.send('later')
  const back = await new PeerServer(far, endpoint, {}, true).listen()
  t.is(String(await reconnecting.receive()), 'later')
  t.like(engine.stats().reconnectingConnections[0], { state: 'connected', losses: 1 })
  await reconnecting.close()
  t.deepEqual(engine.stats().reconnectingConnections, [])
  await back.close()
})

forEachKind('a greeting is the first thing that a peer hears', async (t, { engine, far, endpoint }) => {
  const peer = await new PeerServer(far, endpoint, {}, true).listen()
  const reconnecting = engine.transport(endpoint).reconnecting({
    ...quick,
    onConnected: async (connection, { attempt }) => {
      connection.send(`0 hello ${String(attempt)}`)
      t.is(String(await connection.receive()), `0 hello ${String(attempt)}`)
    },
  })
  reconnecting.send('1')
  t.is(String(await reconnecting.receive()), '1')
  peer.kill()
  reconnecting.send('2')
  await until(() => peer.heard.length === 2)
  await reconnecting.connected()
  reconnecting.send('3')
  for (;;) if (String(await reconnecting.receive()) === '3') break
  for (const { numbers } of peer.heard) t.is(numbers[0], 0)
  t.deepEqual(peer.heard[0]?.numbers, [0, 1])
  await reconnecting.close()
  await peer.close()
})

forEachKind(
  'end() lets everything leave, the peer has the last word, and then all is over',
  async (t, { engine, far, endpoint }) => {
    const peer = new PeerServer(far, endpoint)
    peer.isDeaf = true
    const reconnecting = engine.transport(endpoint).reconnecting(quick)
    for (let i = 0; i < 100; i++) reconnecting.send(numbered(i, 1000))
    await peer.listen()
    const ended = reconnecting.end()
    await until(() => peer.heard.length === 1)
    const connection = peer.last?.connection
    let heard = 0
    for (;;) {
      const frame = await connection?.receive()
      if (frame === undefined) break
      t.true(frame.equals(numbered(heard++, 1000)))
    }
    t.is(heard, 100)
    await ended
    t.is((await reconnecting.closed).code, 'OK')
    t.is(await reconnecting.receive(), undefined)
    await peer.close()
  },
)

forEachKind(
  'the last frames handed over are kept with their bytes, and unsent frames can be dropped',
  async (t, { engine, far, endpoint }) => {
    const peer = new PeerServer(far, endpoint)
    peer.isDeaf = true
    await peer.listen()
    const reports: LossReport[] = []
    const reconnecting = engine.transport(endpoint).reconnecting({
      ...quick,
      retainBytes: 2_500,
      unsent: 'drop',
      onLoss: (report) => reports.push(report),
    })
    await until(() => peer.heard.length === 1 && reconnecting.state === 'connected')
    // The first frames are read. The rest is more than all buffers hold on the way to a peer that no longer reads.
    const frames = Array.from({ length: 9_000 }, (_, i) => numbered(i, 1_000))
    for (const frame of frames.slice(0, 5)) reconnecting.send(frame)
    for (let i = 0; i < 5; i++) await peer.last?.connection.receive()
    for (const frame of frames.slice(5)) reconnecting.send(frame)
    await turns(5)
    peer.kill()
    await until(() => reports.length === 1)
    const [report] = reports
    if (report === undefined) throw new Error('no report')
    const { handedOver, retained, unconfirmed, dropped } = report
    t.is(handedOver + unconfirmed.length + dropped.length, frames.length)
    t.true(handedOver >= 4 && dropped.length > 0)
    t.is(retained.length, 2)
    const tail = [...retained, ...unconfirmed, ...dropped]
    const expected = frames.slice(frames.length - tail.length)
    t.true(tail.every((frame, i) => frame.equals(expected[i] ?? Buffer.alloc(0))))
    t.is(report.resent, 0)
    await reconnecting.close()
    await peer.close()
  },
)

forEachKind('a heartbeat finds a peer that is connected but silent', async (t, { engine, far, endpoint }) => {
  const peer = await new PeerServer(far, endpoint).listen()
  const reports: LossReport[] = []
  const reconnecting = engine.transport(endpoint).reconnecting({
    ...quick,
    heartbeat: { intervalMs: 20, timeoutMs: 20, ping: () => '7 ping' },
    onLoss: (report) => reports.push(report),
  })
  reconnecting.subscribe(() => undefined)
  await until(() => peer.heard.length >= 3 && peer.heard.some(({ numbers }) => numbers[0] === 7))
  t.is(reports[0]?.code, 'ERR_TIMEOUT')
  reconnecting.destroy()
  await peer.close()
})

forEachKind('engine.close() ends reconnecting connections in every state', async (t, { engine, far, endpoint }) => {
  const peer = await new PeerServer(far, endpoint).listen()
  const transport = engine.transport(endpoint)
  const connected = transport.reconnecting(quick)
  await connected.connected()
  const reports: LossReport[] = []
  const absent = engine.transport(`memory:${randomName()}`)
  const waiting = absent.reconnecting({ ...quick, onLoss: (report) => reports.push(report) })
  waiting.send('never')
  const received = rejects(t, waiting.receive(), 'ERR_ENGINE_CLOSED')
  await until(() => waiting.attempts > 1)
  const fresh = transport.reconnecting()
  const greeting = transport.reconnecting({ onConnected: () => new Promise(() => undefined) })
  await until(() => peer.heard.length >= 2)
  const closing = engine.close()
  t.is((await connected.closed).code, 'OK')
  t.is((await waiting.closed).code, 'ERR_ENGINE_CLOSED')
  await received
  t.deepEqual(
    reports.map(({ dropped }) => dropped.map(String)),
    [['never']],
  )
  await Promise.all([fresh.closed, greeting.closed])
  t.is((await closing).leaked, 0)
  t.throws(() => transport.reconnecting(), { code: 'ERR_ENGINE_CLOSED' })
})

forEachKind(
  'what happens to a reconnecting connection and to its breaker is published',
  async (t, { engine, far, endpoint }) => {
    const events = [
      'reconnecting.attempt',
      'reconnecting.failed',
      'reconnecting.connected',
      'reconnecting.lost',
      'reconnecting.gave-up',
      'reconnecting.closed',
    ]
    const log = new EventLog(...events, 'breaker.opened', 'breaker.closed')
    const opened = nextEvent('breaker.opened')
    try {
      const reconnecting = engine
        .transport(endpoint)
        .reconnecting({ ...quick, breaker: { failures: 2, openMs: 1 }, maxAttempts: 1_000 })
      await opened
      const peer = await new PeerServer(far, endpoint).listen()
      await until(() => peer.heard.length === 1 && reconnecting.state === 'connected')
      peer.kill()
      await until(() => peer.heard.length === 2 && reconnecting.state === 'connected')
      t.like(engine.stats().breakers[0], { endpoint, state: 'closed', failures: 0 })
      await reconnecting.close()
      await peer.close()
      const lines = log.lines.map(({ event }) => event)
      const attempts = lines.filter((event) => event === 'reconnecting.attempt').length
      const failed = lines.filter((event) => event === 'reconnecting.failed').length
      t.is(lines.filter((event) => event === 'reconnecting.connected').length, attempts - failed)
      t.is(lines.filter((event) => event === 'reconnecting.lost').length, 2)
      t.is(lines.filter((event) => event === 'breaker.closed').length, 1)
      t.is(lines.at(-1), 'reconnecting.closed')
      t.like(log.of('reconnecting.closed')[0], { endpoint, code: 'OK' })
      const given = engine.transport(`memory:${randomName()}`).reconnecting({ ...quick, maxAttempts: 2 })
      t.is((await given.closed).code, 'ERR_GAVE_UP')
      t.is(log.of('reconnecting.gave-up').length, 1)
    } finally {
      log.stop()
    }
  },
)

test.serial('connect() ignores an open circuit', async (t) => {
  await onStage(t, 'memory', {}, async ({ engine, far, endpoint }) => {
    const transport = engine.transport(endpoint)
    const options = { firstConnect: 'fail-fast', breaker: { failures: 1, openMs: 1_000_000 } } as const
    t.is((await transport.reconnecting(options).closed).code, 'ERR_NOT_FOUND')
    const { code, cause } = await transport.reconnecting(options).closed
    t.is(code, 'ERR_CIRCUIT_OPEN')
    t.like(cause?.cause, { code: 'ERR_NOT_FOUND' })
    const peer = await new PeerServer(far, endpoint).listen()
    const connection = await transport.connect()
    await connection.close()
    await peer.close()
  })
})

const onPosix = process.platform === 'win32' ? test.serial.skip : test.serial

onPosix('a child process that dies is started again, and frames go on', async (t) => {
  await onStage(t, 'memory', {}, async ({ engine }) => {
    const reports: LossReport[] = []
    const options: TransportOptions = { framing: 'line' }
    const transport = engine.transport({ kind: 'stdio', command: 'cat' }, options)
    const pids: number[] = []
    const reconnecting = transport.reconnecting({
      ...quick,
      onConnected: ({ info }) => pids.push(info.pid ?? 0),
      onLoss: (report) => reports.push(report),
    })
    for (let i = 0; i < 4; i++) {
      await reconnecting.connected()
      reconnecting.send(`line ${String(i)}`)
      t.is(String(await reconnecting.receive()), `line ${String(i)}`)
      process.kill(pids.at(-1) ?? 0, 'SIGKILL')
      await until(() => reports.length === i + 1)
      t.is(reports.at(-1)?.code, 'ERR_EXIT')
    }
    await reconnecting.connected()
    t.is(new Set(pids).size, 5)
    t.is((await reconnecting.close()).code, 'OK')
  })
})

test.serial('options are refused by name', async (t) => {
  await onStage(t, 'memory', {}, async ({ engine, endpoint }) => {
    const transport = engine.transport(endpoint)
    const wrong: readonly (readonly [string, unknown])[] = [
      ['retries', { retries: 3 }],
      ['backoff.initialMs', { backoff: { initialMs: -1 } }],
      ['backoff.maxMs', { backoff: { initialMs: 100, maxMs: 99 } }],
      ['backoff.factor', { backoff: { factor: 0.5 } }],
      ['backoff.jitter', { backoff: { jitter: 'some' } }],
      ['maxAttempts', { maxAttempts: 0 }],
      ['maxAttempts', { maxAttempts: 1.5 }],
      ['maxElapsedMs', { maxElapsedMs: -1 }],
      ['stableMs', { stableMs: NaN }],
      ['firstConnect', { firstConnect: 'never' }],
      ['unsent', { unsent: 'lose' }],
      ['retainBytes', { retainBytes: -1 }],
      ['heartbeat.timeoutMs', { heartbeat: { intervalMs: 5 } }],
      ['heartbeat.intervalMs', { heartbeat: { intervalMs: 0, timeoutMs: 5 } }],
      ['heartbeat.ping', { heartbeat: { intervalMs: 5, timeoutMs: 5, isPong: () => true } }],
      ['heartbeat.ping', { heartbeat: { intervalMs: 5, timeoutMs: 5, ping: 'ping' } }],
      ['breaker', { breaker: true }],
      ['breaker.failures', { breaker: { failures: 0 } }],
      ['breaker.concurrency', { breaker: { concurrency: 0 } }],
      ['onConnected', { onConnected: 'hello' }],
      ['onLoss', { onLoss: {} }],
    ]
    for (const [name, options] of wrong) {
      const error = t.throws(() => transport.reconnecting(options as object), { code: 'ERR_INVALID_OPTION' })
      t.regex(error.message, new RegExp(`\\b${name}\\b`))
    }
    t.is(engine.stats().ledger.byKind.reconnectingConnections.opened, 0)
    const gate = signal()
    const reconnecting = transport.reconnecting({ breaker: false, heartbeat: undefined, onLoss: undefined })
    reconnecting.onStateChange((state) => {
      if (state === 'closed') gate.resolve()
    })
    void reconnecting.close()
    await gate.promise
  })
})
