/** Endpoints: how they are written, where their files lie, and whose files are left alone. */
import fs from 'node:fs'
import net from 'node:net'
import { basename, dirname, join } from 'node:path'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Endpoint, type Engine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { makeTemporaryFolder, randomName, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const LIMIT = process.platform === 'linux' ? 107 : 103
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

let engine: Engine
let twoShards: Engine
let folder: TemporaryFolder

failOnWarnings()

test.serial.before('engines start', async () => {
  engine = await createEngine({ shards: 1 })
  twoShards = await createEngine({ shards: 2 })
})

test.serial.beforeEach('a new folder', async () => {
  folder = await makeTemporaryFolder()
})

test.serial.afterEach.always('the folder is removed', async () => {
  await folder.remove()
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close()).leaked, 0)
  t.is((await twoShards.close()).leaked, 0)
})

async function roundTrip(t: ExecutionContext, carrier: Engine, endpoint: Endpoint): Promise<void> {
  const transport = carrier.transport(endpoint)
  const listener = await transport.listen((connection) => {
    connection.subscribe((frame) => connection.send(frame), { borrow: true })
  })
  try {
    const connection = await transport.connect()
    connection.send('through')
    t.is(String(await connection.receive()), 'through')
    await connection.close()
  } finally {
    await listener.close()
  }
}

const circular: Record<string, unknown> = {}
circular['self'] = circular

test.serial('an invalid endpoint is refused, and the error shows its text', (t) => {
  const wrong: unknown[] = [
    '',
    '   ',
    'unix:  ',
    'unix:@ ',
    'unix:///tmp/x',
    ' unix:/tmp/x',
    'file:///tmp/x',
    'http+unix://%2Ftmp%2Fx',
    'unix',
    '/tmp/x.sock',
    'tcp:localhost',
    ':x',
    'UNIX:/tmp/x',
    'unix:',
    'unix:@',
    'unix:/tmp/x.sock/',
    'unix:x/',
    { kind: 'unix', path: '/tmp/x.sock/' },
    new Map([['kind', 'unix']]),
    new Set(['unix']),
    { kind: 'stdio', command: 'x', env: new Map([['A', 'b']]) },
    { kind: 'stdio', command: 'x', env: new Headers({ a: 'b' }) },
    { kind: 'stdio', command: 'x', env: new Date() },
    { kind: 'stdio', command: 'x', args: new Set(['a']) },
    'unix:/tmp/a\0b',
    'local:',
    'local:../x',
    'local:a/b',
    'local:.hidden',
    'local:-x',
    'local:with space',
    `local:${'n'.repeat(65)}`,
    'memory:',
    'memory:a/b',
    `memory:${'n'.repeat(65)}`,
    undefined,
    null,
    7,
    7n,
    Symbol('x'),
    [],
    {},
    new URL('file:///tmp/x'),
    { kind: 7n },
    { kind: 'unix', path: 7n },
    { kind: 'local', name: circular },
    {
      get kind() {
        throw new Error('a getter')
      },
    },
    { kind: 'unix' },
    { kind: 'unix', path: 7 },
    { kind: 'unix', path: '' },
    { kind: 'unix', path: '/tmp/x', abstract: 'x' },
    { kind: 'unix', path: '/tmp/x', mode: 0o600 },
    { kind: 'unix', name: 'x' },
    { kind: 'local', path: '/tmp/x' },
    { kind: 'local', name: '../x' },
    { kind: 'memory' },
    { kind: 'pigeon', name: 'x' },
    'stdio:cat',
    'stdio',
    { kind: 'stdio', command: undefined },
    { kind: 'stdio', args: ['x'] },
    { kind: 'stdio', name: 'x' },
    { kind: 'stdio', command: 'x', guard: 'yes' },
  ]
  for (const endpoint of wrong) {
    const error = throws(t, () => engine.transport(endpoint as Endpoint), 'ERR_INVALID_ENDPOINT')
    t.false(error.retryable)
    if (typeof endpoint === 'string') t.is(error.endpoint, endpoint.startsWith('stdio:') ? 'stdio:…' : endpoint)
  }
})

test.serial('a near miss is refused with the correct form', (t) => {
  const advice: readonly (readonly [given: unknown, advice: string])[] = [
    ['/tmp/x.sock', 'did you mean unix:/tmp/x.sock?'],
    ['./x', 'did you mean unix:./x?'],
    ['run/x', 'did you mean unix:run/x?'],
    ['x.sock', 'did you mean unix:x.sock?'],
    [' unix:/tmp/x ', 'did you mean unix:/tmp/x?'],
    ['unix:///tmp/x', 'did you mean unix:/tmp/x?'],
    ['UNIX:/tmp/x', 'did you mean unix:/tmp/x?'],
    ['unx:/tmp/x', 'did you mean unix:/tmp/x?'],
    ['Local:x', 'did you mean local:x?'],
    ['file:///tmp/a%20b', 'did you mean unix:/tmp/a b?'],
    ['file:///tmp/a@b', 'did you mean unix:/tmp/a@b?'],
    ['unix:/tmp/x.sock/', 'it ends in a slash'],
    [new URL('file:///tmp/x'), 'did you mean unix:/tmp/x?'],
    ['http+unix://%2Ftmp%2Fx', 'did you mean unix:PATH?'],
    ['', 'it is empty'],
    ['  ', 'it is empty'],
    ['echo', 'write unix:PATH, unix:@NAME, pipe:NAME, local:NAME, shm:NAME, memory:NAME, fd:N or stdio:'],
    [{ kind: 'unx', path: '/tmp/x' }, "did you mean 'unix'?"],
    [{ kind: 'unix', pth: '/tmp/x' }, 'unknown key "pth"; did you mean "path"?'],
    [{ kind: 'local', nam: 'x' }, '- unknown key "nam"; did you mean "name"?\n- name: expected a string, got nothing'],
  ]
  for (const [given, what] of advice) {
    const { message } = throws(t, () => engine.transport(given as Endpoint), 'ERR_INVALID_ENDPOINT')
    t.true(message.includes(what), message)
  }
})

test.serial('the error does not show what may be a secret in the wrong place', (t) => {
  const secret = 'hunter2'
  const wrong: unknown[] = [
    `http://user:${secret}@localhost/x`,
    `unix://user:${secret}@localhost/x`,
    `unix://user:a@${secret}@localhost`,
    `unix://user:a/${secret}@localhost`,
    `shm://user:${secret}@localhost/x`,
    `redis://user:a@${secret}@localhost`,
    `redis://user:a/${secret}@localhost`,
    `redis://user:a?${secret}@localhost`,
    `redis://user:a@${secret}?@localhost`,
    `redis:user:${secret}@localhost`,
    `http://localhost/?token=${secret}`,
    `http://localhost/?mail=a@b&token=${secret}`,
    `http://localhost/?mail=a@${secret}`,
    `http://localhost/#${secret}`,
    `unx://localhost/?token=${secret}`,
    `stdio:node x --token ${secret}`,
    `stdio: ${secret}`,
    ` stdio:node x --token ${secret}`,
    `STDIO:node x --token ${secret}`,
    `stdo:node x --token ${secret}`,
    new URL(`stdo:node?${secret}`),
    new URL(`http://localhost/?token=${secret}`),
    new URL(`http://user:${secret}@localhost/x`),
    { kind: 'unix', path: '/tmp/x', password: secret },
    { kind: 'unix', path: { password: secret } },
    { kind: secret, path: secret },
    { kind: 'memory', name: 'x', env: { TOKEN: secret } },
    { kind: 'stdio', env: { TOKEN: secret }, args: [secret] },
  ]
  for (const endpoint of wrong) {
    const error = throws(t, () => engine.transport(endpoint as Endpoint), 'ERR_INVALID_ENDPOINT')
    t.notRegex(inspect(error, { depth: 10 }), new RegExp(secret))
  }
})

test.serial('a getter of an endpoint is read once, and undefined counts as missing', (t) => {
  let reads = 0
  const endpoint = {
    kind: 'memory',
    get name() {
      return `x${String(reads++)}`
    },
  } as const
  t.is(engine.transport(endpoint).endpoint, 'memory:x0')
  t.is(reads, 1)
  const either: unknown = { kind: 'memory', name: 'x', path: undefined }
  throws(t, () => engine.transport(either as Endpoint), 'ERR_INVALID_ENDPOINT')
  if (process.platform === 'win32') return
  const path: unknown = { kind: 'unix', path: '/tmp/x', abstract: undefined }
  t.is(engine.transport(path as Endpoint).endpoint, 'unix:/tmp/x')
})

test.serial('an object means the same as its text', (t) => {
  const path = folder.socketPath()
  t.is(engine.transport({ kind: 'unix', path }).endpoint, `unix:${path}`)
  t.is(engine.transport({ kind: 'memory', name: 'x' }).endpoint, 'memory:x')
  if (process.platform !== 'win32') {
    t.is(engine.transport('stdio:').endpoint, 'stdio:')
    t.is(engine.transport({ kind: 'stdio' }).endpoint, 'stdio:')
  }
  if (process.platform === 'linux') t.is(engine.transport({ kind: 'unix', abstract: 'x' }).endpoint, 'unix:@x')
  // A colon belongs to the path, and so does an @ that does not come first.
  t.is(engine.transport('unix:/tmp/a:b@c').endpoint, 'unix:/tmp/a:b@c')
})

test.serial('a path may have as many bytes as the system allows, and not one more', async (t) => {
  t.timeout(WATCHDOG_MS)
  const room = LIMIT - Buffer.byteLength(folder.path) - 1
  const longest = join(folder.path, 'p'.repeat(room))
  t.is(Buffer.byteLength(longest), LIMIT)
  const error = throws(t, () => engine.transport(`unix:${longest}p`), 'ERR_PATH_TOO_LONG')
  t.regex(error.message, new RegExp(String(LIMIT + 1)))
  // Bytes count, not characters.
  const wide = join(folder.path, 'ü'.repeat(Math.ceil((room + 1) / 2)))
  t.true(wide.length <= LIMIT)
  throws(t, () => engine.transport(`unix:${wide}`), 'ERR_PATH_TOO_LONG')
  const fits = join(folder.path, 'ü'.repeat(Math.floor(room / 2)))
  await roundTrip(t, engine, `unix:${fits}`)
  t.deepEqual(await folder.list(), [])
})

for (const shards of [1, 2]) {
  onLinux(
    `a path of the greatest length works on ${String(shards)} shards, whether folder or name is long`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      const carrier = shards === 1 ? engine : twoShards
      const room = LIMIT - Buffer.byteLength(folder.path) - 1
      await roundTrip(t, carrier, `unix:${join(folder.path, 'p'.repeat(room))}`)
      t.deepEqual(await folder.list(), [])
      // No room for a temporary name beside it.
      const deep = join(folder.path, 'd'.repeat(room - 2))
      fs.mkdirSync(deep)
      await roundTrip(t, carrier, `unix:${join(deep, 's')}`)
      t.deepEqual(fs.readdirSync(deep), [])
    },
  )
}

onLinux('an abstract name has the same limit and no file', async (t) => {
  t.timeout(WATCHDOG_MS)
  const longest = randomName().padEnd(LIMIT, 'a')
  throws(t, () => engine.transport(`unix:@${longest}a`), 'ERR_PATH_TOO_LONG')
  await roundTrip(t, engine, `unix:@${longest}`)
  await roundTrip(t, twoShards, `unix:@${randomName()}`)
})

test.serial('a socket file has mode 0600 while it is open, and nothing lies beside it', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const carrier of [engine, twoShards]) {
    const path = folder.socketPath()
    const listener = await carrier.transport(`unix:${path}`).listen(() => undefined)
    const stat = fs.lstatSync(path)
    t.true(stat.isSocket())
    t.is(stat.mode & 0o777, 0o600)
    t.deepEqual(await folder.list(), [basename(path)])
    await listener.close()
    t.deepEqual(await folder.list(), [])
  }
})

test.serial('the mode option sets the mode of the socket file', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const listener = await engine.transport(`unix:${path}`, { mode: 0o666 }).listen(() => undefined)
  t.is(fs.lstatSync(path).mode & 0o777, 0o666)
  await listener.close()
})

test.serial('a relative path is a path', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = `.${randomName()}.sock`
  try {
    await roundTrip(t, engine, `unix:${path}`)
    await roundTrip(t, twoShards, `unix:${path}`)
    t.false(fs.existsSync(path))
  } finally {
    fs.rmSync(path, { force: true })
  }
})

test.serial('listening over a regular file is refused and the file is untouched', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  fs.writeFileSync(path, 'precious', { mode: 0o640 })
  for (const carrier of [engine, twoShards]) {
    const error = await rejects(t, carrier.transport(`unix:${path}`).listen(), 'ERR_NOT_A_SOCKET')
    t.is(error.endpoint, `unix:${path}`)
  }
  t.is(fs.readFileSync(path, 'utf8'), 'precious')
  t.is(fs.statSync(path).mode & 0o777, 0o640)
  t.deepEqual(await folder.list(), [basename(path)])
})

test.serial('listening over a folder or a symbolic link to a file is refused and they stay', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  fs.mkdirSync(path)
  await rejects(t, engine.transport(`unix:${path}`).listen(), 'ERR_NOT_A_SOCKET')
  t.true(fs.statSync(path).isDirectory())
  const link = folder.socketPath()
  fs.symlinkSync('nowhere', link)
  await rejects(t, engine.transport(`unix:${link}`).listen(), 'ERR_NOT_A_SOCKET')
  t.is(fs.readlinkSync(link), 'nowhere')
  t.is((await folder.list()).length, 2)
})

test.serial('listening on a live socket is refused, and that socket is not disturbed', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const server = net.createServer((socket) => socket.end('served').on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  try {
    for (const carrier of [engine, twoShards]) {
      await rejects(t, carrier.transport(`unix:${path}`).listen(), 'ERR_ADDRESS_IN_USE')
    }
    const reply = await new Promise((resolve) => net.connect(path).setEncoding('utf8').once('data', resolve))
    t.is(reply, 'served')
    t.deepEqual(await folder.list(), [basename(path)])
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

test.serial('a folder that does not exist is ERR_NOT_FOUND', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `unix:${join(folder.path, 'none', 'x.sock')}`
  for (const carrier of [engine, twoShards]) {
    await rejects(t, carrier.transport(endpoint).listen(), 'ERR_NOT_FOUND')
    await rejects(t, carrier.transport(endpoint).connect(), 'ERR_NOT_FOUND')
  }
})

test.serial('the stale socket of a killed process refuses connections and is taken over by a listener', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const child = ChildProgram.start('released-listener', [`unix:${path}`, '1'])
  try {
    await child.line('open')
    child.kill('SIGKILL')
    t.is((await child.exit).signal, 'SIGKILL')
  } finally {
    child.kill('SIGKILL')
  }
  t.true(fs.lstatSync(path).isSocket(), 'it was left behind')
  await rejects(t, engine.transport(`unix:${path}`).connect(), 'ERR_REFUSED')
  await roundTrip(t, engine, `unix:${path}`)
  t.deepEqual(await folder.list(), [])
})

test.serial('of two listeners that take over a stale socket at once one wins', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const abandoned = net.createServer()
  await new Promise<void>((resolve) => abandoned.listen(join(folder.path, 'first'), resolve))
  // Closing removes the name that the socket was bound to. The other name stays, without a listener.
  fs.linkSync(join(folder.path, 'first'), path)
  await new Promise((resolve) => abandoned.close(resolve))
  const transports = [engine.transport(`unix:${path}`), twoShards.transport(`unix:${path}`)]
  const outcomes = await Promise.allSettled(transports.map((transport) => transport.listen(() => undefined)))
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value)
  const lost = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown)
  try {
    t.is(won.length, 1)
    t.is((lost[0] as { code?: unknown }).code, 'ERR_ADDRESS_IN_USE')
    const connection = await engine.transport(`unix:${path}`).connect()
    await connection.close()
    t.deepEqual(await folder.list(), [basename(path)])
  } finally {
    await Promise.all(won.map((listener) => listener.close()))
  }
  t.deepEqual(await folder.list(), [])
})

test.serial('a listener that closes leaves a file that has replaced its own', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  const listener = await engine.transport(`unix:${path}`).listen(() => undefined)
  fs.unlinkSync(path)
  const second = await twoShards.transport(`unix:${path}`).listen(() => undefined)
  await listener.close()
  t.true(fs.lstatSync(path).isSocket())
  await second.close()
  t.false(fs.existsSync(path))
})

test.serial('local names lie in a folder that only the user can enter', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = process.env
  const name = randomName()
  try {
    for (const [variable, expected] of [
      ['XDG_RUNTIME_DIR', join(folder.path, 'symphony-transport')],
      ['TMPDIR', join(folder.path, `symphony-transport-${String(process.getuid?.() ?? 0)}`)],
    ] as const) {
      delete process.env['XDG_RUNTIME_DIR']
      process.env[variable] = folder.path
      const listener = await engine.transport(`local:${name}`).listen(() => undefined)
      const path = join(expected, `${name}.sock`)
      t.true(fs.lstatSync(path).isSocket())
      t.is(fs.lstatSync(dirname(path)).mode & 0o777, 0o700)
      await listener.close()
      t.deepEqual(fs.readdirSync(expected), [])
      for (const spoil of [
        () => {
          fs.chmodSync(expected, 0o755)
        },
        () => {
          fs.rmdirSync(expected)
          fs.symlinkSync('.', expected)
        },
      ]) {
        spoil()
        const transport = engine.transport(`local:${name}`)
        await rejects(t, transport.connect(), 'ERR_ACCESS')
        await rejects(t, transport.listen(), 'ERR_ACCESS')
      }
    }
  } finally {
    restore('XDG_RUNTIME_DIR', runtime)
    restore('TMPDIR', temporary)
  }
})

function restore(variable: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, variable)
  else process.env[variable] = value
}
