/** Sockets that the process was started with, as systemd gives them: fd:N, and what the environment says of them. */
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { createEngine, diagnosticsChannels, observe, type Engine } from '../../api/index.js'
import { descriptorOf } from '../../engine/internals/socket-handle.js'
import { ChildProgram } from '../helpers/child-program.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { nextEvent } from '../helpers/faults.js'
import { boundSocket, isOpen } from '../helpers/inherited.js'
import { canShareMemory } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000
const SHARDS = 2
const MOST_STRANGERS = 200
const onPosix = process.platform === 'win32' ? test.serial.skip : test.serial
const sharing = canShareMemory ? onPosix : test.serial.skip

let engine: Engine
let folder: TemporaryFolder

test.serial.before(async () => {
  engine = await createEngine({ shards: SHARDS })
  folder = await makeTemporaryFolder()
})

test.serial.after.always(async (t) => {
  t.is((await engine.close()).leaked, 0)
  await folder.remove()
})

async function ask(endpoint: string, question: string): Promise<string> {
  const connection = await engine.transport(endpoint).connect()
  connection.send(question)
  const answer = await connection.receive()
  await connection.close()
  return String(answer)
}

function started(sockets: readonly number[], shards: number, env = {}): ChildProgram {
  return ChildProgram.start('activated', [String(shards)], { activated: sockets, env })
}

onPosix('every shard listens on it, close() closes it, and the socket file stays', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const fd = boundSocket(path)
  const shards = new Set<number>()
  const listener = await engine.transport(`fd:${String(fd)}`).listen((connection) => {
    shards.add(connection.info.shard)
    connection.subscribe((frame) => connection.send(frame))
  })
  const connections = await Promise.all(Array.from({ length: 16 }, () => engine.transport(`unix:${path}`).connect()))
  connections.forEach((connection, i) => connection.send(String(i)))
  const answers = await Promise.all(connections.map((connection) => connection.receive()))
  t.deepEqual(
    answers.map(String),
    connections.map((_, i) => String(i)),
  )
  t.is(shards.size, SHARDS)
  t.is(listener.endpoint, `fd:${String(fd)}`)
  await Promise.all(connections.map((connection) => connection.close()))
  t.true(isOpen(fd))
  await listener.close()
  t.false(isOpen(fd))
  t.true(fs.existsSync(path))
})

onPosix('a handler module serves its connections', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const handler = join(folder.path, 'handler.mjs')
  fs.writeFileSync(handler, 'export default (connection) => connection.subscribe((frame) => connection.send(frame))\n')
  const listener = await engine.transport({ kind: 'fd', fd: boundSocket(path) }).listen({ handler })
  t.is(await ask(`unix:${path}`, 'there'), 'there')
  await listener.close()
})

sharing('its connections can share memory', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const accepting = engine.transport({ kind: 'fd', fd: boundSocket(path) }, { memory: 'shared' })
  const listener = await accepting.listen((connection) => {
    connection.send(String(connection.info.memory))
  })
  const connection = await engine.transport(`shm:${path}`).connect()
  t.is(String(await connection.receive()), 'shared')
  await connection.close()
  await listener.close()
})

onPosix('a listen() that rejects leaves it open, and one descriptor has one listener', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const fd = boundSocket(path)
  const transport = engine.transport({ kind: 'fd', fd, name: 'main' })
  const controller = new AbortController()
  const given = transport.listen(undefined, { signal: controller.signal })
  controller.abort()
  await rejects(t, given, 'ERR_ABORTED')
  t.true(isOpen(fd))
  const other = await createEngine({ shards: 1 })
  const listener = await transport.listen()
  t.regex((await rejects(t, transport.listen(), 'ERR_ADDRESS_IN_USE')).message, /^listening on fd:\d+: a listener of/)
  await rejects(t, other.transport({ kind: 'fd', fd }).listen(), 'ERR_ADDRESS_IN_USE')
  await other.close()
  const accepted = listener.accept()
  await (await engine.transport(`unix:${path}`).connect()).close()
  await (
    await accepted
  )?.closed
  await listener.close()
  t.regex((await rejects(t, transport.listen(), 'ERR_INVALID_ENDPOINT')).message, /no such descriptor is open\. Check/)
})

onPosix('given up in the moment in which it is open, it stays open too', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fd = boundSocket(folder.socketPath())
  const transport = engine.transport({ kind: 'fd', fd })
  const controller = new AbortController()
  const stop = observe(diagnosticsChannels.listenerOpened, ({ endpoint }) => {
    if (endpoint === transport.endpoint) controller.abort()
  })
  const closed = nextEvent('listener.closed')
  await rejects(t, transport.listen(undefined, { signal: controller.signal }), 'ERR_ABORTED')
  stop()
  await closed
  t.true(isOpen(fd))
  const listener = await transport.listen()
  await listener.close()
  t.false(isOpen(fd))
})

onPosix('a number that the host has closed, and that is of something else by now, is left alone', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fd = boundSocket(folder.socketPath())
  const listener = await engine.transport({ kind: 'fd', fd }).listen()
  fs.closeSync(fd)
  const strangers: number[] = []
  while (!strangers.includes(fd) && strangers.length < MOST_STRANGERS)
    strangers.push(fs.openSync(join(folder.path, 'stranger'), 'w'))
  try {
    t.true(strangers.includes(fd))
    await listener.close()
    t.true(isOpen(fd))
  } finally {
    for (const stranger of strangers) fs.closeSync(stranger)
  }
})

onPosix('what is no listening Unix stream socket is refused, and stays open', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fd = fs.openSync(join(folder.path, 'file'), 'w')
  const { message } = await rejects(t, engine.transport({ kind: 'fd', fd }).listen(), 'ERR_NOT_A_SOCKET')
  t.regex(message, /that descriptor is no socket\./)
  fs.closeSync(fd)
  const tcp = net.createServer().listen(0, '127.0.0.1')
  const path = folder.socketPath()
  const local = net.createServer().listen(path)
  await Promise.all([tcp, local].map((server) => once(server, 'listening')))
  const connected = net.connect(path)
  await once(connected, 'connect')
  const activated = [descriptorOf(tcp as unknown as net.Socket), descriptorOf(connected)].map(Number)
  const child = ChildProgram.start('refused-descriptors', [], { activated, env: { LISTEN_FDNAMES: 'tcp:connected' } })
  try {
    const { lines, stderr } = await child.exit
    t.is(lines.length, 2, stderr)
    t.regex(lines[0] ?? '', /^tcp: ERR_NOT_A_SOCKET listening on fd:3: that is no Unix stream socket\. .* open$/)
    t.regex(lines[1] ?? '', /^connected: ERR_NOT_A_SOCKET listening on fd:4: that socket does not listen\. .* open$/)
  } finally {
    child.kill('SIGKILL')
    connected.destroy()
    tcp.close()
    local.close()
  }
})

onPosix('it is not there to connect to', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport('fd:3')
  t.regex((await rejects(t, transport.connect(), 'ERR_INVALID_ENDPOINT')).message, /cannot be connected to/)
  const { code, cause } = await transport.reconnecting().closed
  t.is(code, 'ERR_INVALID_ENDPOINT', String(cause))
})

test('what names no descriptor is no endpoint', (t) => {
  for (const wrong of ['fd:', 'fd:2', 'fd:-3', 'fd:3.5', 'fd:0x3', 'fd:http', `fd:${'9'.repeat(12)}`])
    t.regex(throws(t, () => engine.transport(wrong), 'ERR_INVALID_ENDPOINT').message, /a descriptor, from 3 up/, wrong)
  const unknown = { kind: 'fd', fd: 3, mode: 0o600 }
  throws(t, () => engine.transport(unknown as { kind: 'fd'; fd: number }), 'ERR_INVALID_ENDPOINT')
  if (process.platform === 'win32') throws(t, () => engine.transport('fd:3'), 'ERR_UNSUPPORTED_PLATFORM')
})

onPosix('the environment says which there are, to the process that was started alone', async (t) => {
  t.timeout(WATCHDOG_MS)
  const fd = boundSocket(folder.socketPath())
  const found = async (env: Record<string, string | undefined>): Promise<string> => {
    const { lines, stderr } = await started([fd, fd], 0, env).exit
    return lines[0] ?? stderr
  }
  t.is(await found({}), '3 undefined, 4 undefined; left: ')
  t.is(await found({ LISTEN_FDNAMES: 'http:' }), '3 http, 4 ; left: ')
  t.regex(
    await found({ LISTEN_FDNAMES: 'http' }),
    /ERR_INVALID_ENDPOINT|LISTEN_FDNAMES has 1 names, and LISTEN_FDS is 2/,
  )
  const others = ChildProgram.start('activated', ['0'], { env: { LISTEN_FDS: '1', LISTEN_PID: String(process.pid) } })
  t.deepEqual((await others.exit).lines, ['; left: '])
})

onPosix('a service that starts again goes on with its sockets, and nobody is refused meanwhile', async (t) => {
  t.timeout(WATCHDOG_MS)
  const paths = [folder.socketPath(), folder.socketPath()]
  const sockets = paths.map(boundSocket)
  const env = { LISTEN_FDNAMES: 'one:two' }
  const first = started(sockets, SHARDS, env)
  await first.line('3 one, 4 two; left: ')
  await first.line('listening')
  t.is(await ask(`unix:${paths[0] ?? ''}`, 'a'), 'one a')
  t.is(await ask(`unix:${paths[1] ?? ''}`, 'b'), 'two b')
  first.tell('release')
  t.is((await first.exit).code, 0)
  // They wait where the system keeps them: no process accepts now.
  const waiting = await Promise.all(paths.map((path) => once(net.connect(path), 'connect')))
  const asking = paths.map((path) => ask(`unix:${path}`, 'again'))
  const second = started(sockets, 1, env)
  t.deepEqual(await Promise.all(asking), ['one again', 'two again'])
  second.tell('release')
  t.is((await second.exit).code, 0)
  t.is(waiting.length, 2)
  t.true(paths.every((path) => fs.existsSync(path)))
})
