/** Named pipes: how they are written, on every platform, and what only pipes do, on Windows. */
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { resolveEndpoint } from '../../api/endpoint.js'
import { startEngine } from '../../api/engine.js'
import { createEngine, type Connection, type Endpoint, type Engine } from '../../api/index.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawFrame, RawReader } from '../helpers/raw-frames.js'
import { randomName } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const isWindows = process.platform === 'win32'
// Other platforms have no pipes.
const onWindows = isWindows ? test.serial : test.serial.skip
const elsewhere = isWindows ? test.serial.skip : test.serial
const PREFIX = '\\\\.\\pipe\\'
const LONGEST = 240

let engine: Engine

failOnWarnings()

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1 })
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close()).leaked, 0)
})

test.serial('an invalid pipe name is refused, on every platform', (t) => {
  const names = ['', 'a\\b', 'a/b', '../x', '.', '..', 'x.', 'x ', 'a\0b', 'n'.repeat(LONGEST + 1)]
  const wrong: unknown[] = [
    ...names.map((name) => `pipe:${name}`),
    ...names.map((name) => `${PREFIX}${name}`),
    ...names.map((name) => ({ kind: 'pipe', name })),
    '\\\\.\\pipe',
    '\\\\server\\pipe\\name',
    'C:\\pipe',
    { kind: 'pipe' },
    { kind: 'pipe', name: 7 },
    { kind: 'pipe', name: 'x', path: 'x' },
    { kind: 'pipe', name: 'x', mode: 0o600 },
    { kind: 'pipe', name: 'x', readableAll: 1 },
    { kind: 'pipe', name: 'x', writableAll: 'yes' },
    { kind: 'pipe', path: `${PREFIX}x` },
  ]
  for (const endpoint of wrong) {
    const error = throws(t, () => engine.transport(endpoint as Endpoint), 'ERR_INVALID_ENDPOINT')
    t.false(error.retryable)
  }
})

const spellings = (name: string): readonly Endpoint[] => [
  `pipe:${name}`,
  `${PREFIX}${name}`,
  { kind: 'pipe', name },
  { kind: 'pipe', name, readableAll: undefined, writableAll: true },
]

elsewhere('on other platforms a pipe is refused by its name, however it is written', (t) => {
  for (const name of ['x', 'with space', 'a:b', 'ü', 'n'.repeat(LONGEST)]) {
    for (const endpoint of spellings(name)) {
      const error = throws(t, () => engine.transport(endpoint), 'ERR_UNSUPPORTED_PLATFORM')
      t.is(error.endpoint, `pipe:${name}`)
      t.regex(error.message, /local:NAME/)
      t.false(error.retryable)
    }
  }
})

onWindows('on Windows there are no Unix sockets and no process groups', (t) => {
  const group = { kind: 'stdio', command: 'x', processGroup: true } as const
  for (const endpoint of ['unix:C:\\x.sock', 'unix:@x', group])
    throws(t, () => engine.transport(endpoint), 'ERR_UNSUPPORTED_PLATFORM')
})

onWindows('a pipe is the same however it is written, whatever its name has in it', async (t) => {
  t.timeout(WATCHDOG_MS)
  const unique = randomName()
  for (const name of [unique, `${unique} with space`, `${unique}:ü`, unique.padEnd(LONGEST, 'n')]) {
    for (const [i, endpoint] of spellings(name).entries()) {
      t.is(engine.transport(endpoint).endpoint, `pipe:${name}`)
      const listener = await engine.transport(endpoint).listen((connection) => {
        connection.subscribe((frame) => connection.send(frame), { borrow: true })
      })
      const connection = await engine.transport(spellings(name)[(i + 1) % 4] ?? endpoint).connect()
      connection.send('through')
      t.is(String(await connection.receive()), 'through')
      t.deepEqual(await connection.close(), { code: 'OK' })
      await listener.close()
    }
  }
})

onWindows('other users get no access unless that is asked for', (t) => {
  const accessOf = (endpoint: Endpoint): unknown => {
    const { route } = resolveEndpoint(endpoint)
    if (route.via !== 'target' || route.target.kind !== 'pipe') throw new Error('it is no pipe')
    const { readableAll, writableAll } = route.target
    return [readableAll, writableAll]
  }
  for (const endpoint of ['pipe:x', `${PREFIX}x`, 'local:x', { kind: 'pipe', name: 'x' }] as const)
    t.deepEqual(accessOf(endpoint), [false, false])
  t.deepEqual(accessOf({ kind: 'pipe', name: 'x', readableAll: true }), [true, false])
  t.deepEqual(accessOf({ kind: 'pipe', name: 'x', writableAll: true }), [false, true])
})

onWindows('local names are separate pipes, and are shown as they were given', async (t) => {
  t.timeout(WATCHDOG_MS)
  const name = randomName()
  const listener = await engine.transport(`local:${name}`).listen()
  t.is(listener.endpoint, `local:${name}`)
  await rejects(t, engine.transport(`pipe:${name}`).connect(), 'ERR_NOT_FOUND')
  await listener.close()
})

onWindows('a plain peer connects to a listener, and a connection reaches a plain server', async (t) => {
  t.timeout(WATCHDOG_MS)
  const name = randomName()
  const listener = await engine.transport(`pipe:${name}`).listen((connection) => {
    connection.subscribe((frame) => connection.send(frame), { borrow: true })
  })
  const peer = net.connect(`${PREFIX}${name}`)
  peer.write(rawFrame('from outside'))
  t.is(String(await new RawReader(peer).next()), 'from outside')
  peer.destroy()
  await listener.close()

  const other = randomName()
  const server = net.createServer((socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => server.listen(`${PREFIX}${other}`, resolve))
  const connection = await engine.transport(`pipe:${other}`).connect()
  connection.send('to outside')
  t.is(String(await connection.receive()), 'to outside')
  t.deepEqual(await connection.close(), { code: 'OK' })
  await new Promise((resolve) => server.close(resolve))
})

/** A server that has a pipe and accepts no connection until the test says so. */
const busyServer = `
  const net = require('node:net')
  const { parentPort, workerData } = require('node:worker_threads')
  const server = net.createServer((socket) => socket.on('error', () => undefined).resume())
  server.listen(workerData.path, () => {
    parentPort.postMessage('open')
    Atomics.wait(workerData.gate, 0, 0)
  })
`

async function withBusyPipe(body: (endpoint: string, accept: () => void) => Promise<void>): Promise<void> {
  const name = randomName()
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(busyServer, { eval: true, workerData: { path: `${PREFIX}${name}`, gate } })
  const accept = (): void => {
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
  }
  try {
    await new Promise((resolve) => worker.once('message', resolve))
    await body(`pipe:${name}`, accept)
  } finally {
    accept()
    await worker.terminate()
  }
}

/** The engine's own time limits: from the start of close(), and from the end of everything else. */
const CLOSE = { kill: 1_000, held: 6_000 }

/** More than a server has instances ready. */
const CROWD = 8

onWindows('connect() waits for a busy pipe', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withBusyPipe(async (endpoint, accept) => {
    const transport = engine.transport(endpoint)
    let connected = 0
    const connecting = Array.from({ length: CROWD }, async () => {
      const connection = await transport.connect()
      connected++
      return connection
    })
    await until(() => connected > 0)
    t.true(connected < CROWD, 'some wait')
    accept()
    for (const connection of await Promise.all(connecting)) {
      connection.destroy()
      await connection.closed
    }
  })
})

onWindows('giving up on a busy pipe settles at once and leaves nothing', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withBusyPipe(async (endpoint) => {
    const transport = engine.transport(endpoint)
    const abort = new AbortController()
    const connections: Connection[] = []
    const codes: unknown[] = []
    const connecting = Array.from({ length: CROWD }, () =>
      transport.connect({ signal: abort.signal }).then(
        (connection) => void connections.push(connection),
        (error: unknown) => void codes.push((error as { code?: unknown }).code),
      ),
    )
    await until(() => connections.length > 0)
    abort.abort()
    await Promise.all(connecting)
    t.true(codes.length > 0)
    t.deepEqual([...new Set(codes)], ['ERR_ABORTED'])
    await rejects(t, transport.connect({ timeoutMs: 1 }), 'ERR_TIMEOUT')
    // The server still accepts no connection: the system still waits for it, but nothing of the engine does.
    for (const connection of connections) connection.destroy()
    await Promise.all(connections.map((connection) => connection.closed))
    await until(() => {
      const { dials, connections: open, lanes } = engine.stats().ledger.byKind
      return [dials, open, lanes].every(({ opened, released }) => opened === released)
    })
  })
})

onWindows('closing an engine does not wait for a thread that the system holds, and the ledger names it', async (t) => {
  t.timeout(WATCHDOG_MS)
  const clock = new ManualClock((ms) => ms === CLOSE.kill || ms === CLOSE.held)
  const own = await startEngine({ shards: 1 }, clock)
  await withBusyPipe(async (endpoint) => {
    const abort = new AbortController()
    const transport = own.transport(endpoint)
    let connected = 0
    const connecting = Array.from({ length: CROWD }, () =>
      transport.connect({ signal: abort.signal }).then(
        () => {
          connected++
        },
        () => undefined,
      ),
    )
    await until(() => connected > 0)
    abort.abort()
    await Promise.all(connecting)
    const closing = own.close({ graceMs: 0 })
    await until(() => clock.armed.includes(CLOSE.held))
    clock.advance(CLOSE.held)
    const { leaked, byKind } = await closing
    t.is(leaked, 1, JSON.stringify(byKind))
    t.deepEqual(byKind.shards, { opened: 1, released: 0 })
  })
  await until(() => own.stats().ledger.open === 0)
})

onWindows('a peer past queue and backlog is cut, and the others are served in order', async (t) => {
  t.timeout(WATCHDOG_MS)
  const [queued, backlog, surplus] = [16, 3, 4]
  const options = { maxQueuedConnections: queued, backlog }
  const transport = engine.transport(`pipe:${randomName()}`, options)
  const listener = await transport.listen()
  const dialled: Connection[] = []
  for (let i = 0; i < queued + backlog + surplus; i++) {
    const connection = await transport.connect()
    dialled.push(connection)
    connection.send(String(i))
  }
  const cut = await Promise.all(dialled.slice(-surplus).map((connection) => connection.closed))
  t.true(cut.every(({ code }) => code === 'OK' || code === 'ERR_RESET'))
  t.is(listener.stats().queued, queued)
  for (let i = 0; i < queued + backlog; i++) {
    const accepted = await listener.accept()
    if (accepted === undefined) throw new Error('the listener closed')
    t.is(String(await accepted.receive()), String(i))
    accepted.destroy()
  }
  await Promise.all(dialled.map((connection) => connection.closed))
  await listener.close()
})
