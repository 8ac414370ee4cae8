/** `shm:` endpoints: how they are written, where their sockets lie, and what the option `memory` makes of endpoints. */
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { createEngine, type Endpoint, type Engine, type TransportOptions } from '../../api/index.js'
import { resolveEndpoint } from '../../api/endpoint.js'
import { parseEngineOptions } from '../../api/engine-options.js'
import { parseTransportOptions } from '../../api/transport-options.js'
import type { ResolvedEndpoint } from '../../engine/core/resolved-endpoint.js'
import { withEnvironment } from '../helpers/environment.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const LIMIT = process.platform === 'linux' ? 107 : 103
const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

let engine: Engine

failOnWarnings()

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1 })
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close()).leaked, 0)
})

/** What the API layer decides on another system, without being there. */
function onWindows<T>(step: () => T): T {
  const real = Object.getOwnPropertyDescriptor(process, 'platform') ?? {}
  Object.defineProperty(process, 'platform', { ...real, value: 'win32' })
  try {
    return step()
  } finally {
    Object.defineProperty(process, 'platform', real)
  }
}

const memoryOf = (endpoint: Endpoint | ResolvedEndpoint, options: TransportOptions): string => {
  const resolved = typeof endpoint === 'object' && 'route' in endpoint ? endpoint : resolveEndpoint(endpoint)
  return parseTransportOptions(options, parseEngineOptions({}), resolved).memory
}

onUnix('an object means the same as its text, and shards dial and bind a Unix socket', (t) => {
  for (const endpoint of ['shm:/run/x', { kind: 'shm', path: '/run/x' }] as const) {
    t.deepEqual(resolveEndpoint(endpoint), {
      kind: 'shm',
      text: 'shm:/run/x',
      route: { via: 'target', target: { kind: 'unix', path: '/run/x' } },
    })
  }
  t.deepEqual(resolveEndpoint('shm:x'), resolveEndpoint({ kind: 'shm', name: 'x' }))
  t.is(engine.transport('shm:x').endpoint, 'shm:x')
  t.is(engine.transport({ kind: 'shm', path: '/run/a:b@c' }).endpoint, 'shm:/run/a:b@c')
})

onUnix('a shm: name and the same local: name are two sockets in one private folder', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const name = randomName()
  try {
    await withEnvironment({ XDG_RUNTIME_DIR: folder.path }, async () => {
      const shared = await engine.transport(`shm:${name}`).listen(() => undefined)
      const local = await engine.transport(`local:${name}`).listen(() => undefined)
      try {
        const runtime = join(folder.path, 'symphony-transport')
        t.deepEqual(fs.readdirSync(runtime).sort(), [`${name}.shm`, `${name}.sock`])
        t.is(fs.lstatSync(runtime).mode & 0o777, 0o700)
        t.is(fs.lstatSync(join(runtime, `${name}.shm`)).mode & 0o777, 0o600)
      } finally {
        await local.close()
        await shared.close()
      }
    })
  } finally {
    await folder.remove()
  }
})

onUnix('no shm: name is the socket of a local: name, whatever dots are in them', (t) => {
  const pathOf = (endpoint: string): string => {
    const { route } = resolveEndpoint(endpoint)
    return route.via === 'target' && route.target.kind === 'unix' ? route.target.path : ''
  }
  const names = ['x', 'x.shm', 'x.sock', 'x.shm.sock', 'x.sock.shm']
  const paths = names.flatMap((name) => [pathOf(`shm:${name}`), pathOf(`local:${name}`)])
  t.is(new Set(paths).size, 2 * names.length)
})

test.serial('an invalid shm: endpoint is refused with the correct form', (t) => {
  const wrong: readonly (readonly [given: unknown, advice: string])[] = [
    ['shm:', 'a name has 1 to 64'],
    ['shm:.hidden', 'a name has 1 to 64'],
    ['shm:@x', 'a name has 1 to 64'],
    [`shm:${'n'.repeat(65)}`, 'a name has 1 to 64'],
    ['shm:./x', 'Write shm:/absolute/path, or shm:NAME'],
    ['shm:run/x', 'Write shm:/absolute/path, or shm:NAME'],
    ['shm:../x', 'Write shm:/absolute/path, or shm:NAME'],
    ['shm:///tmp/x', 'did you mean shm:/tmp/x?'],
    ['SHM:x', 'did you mean shm:x?'],
    ['shmem:x', 'did you mean shm:x?'],
    ['shared:x', 'did you mean shm:x?'],
    ['shared-memory:///tmp/x', 'did you mean shm:/tmp/x?'],
    ['shn:/tmp/x', 'did you mean shm:/tmp/x?'],
    ['shn:///tmp/x', 'did you mean shm:/tmp/x?'],
    [' shm:x', 'did you mean shm:x?'],
    ['echo', 'shm:NAME'],
    [{ kind: 'shm' }, 'exactly one of name and path'],
    [{ kind: 'shm', name: 'x', path: '/tmp/x' }, 'exactly one of name and path'],
    [{ kind: 'shm', name: '/tmp/x' }, 'a name has 1 to 64'],
    [{ kind: 'shm', path: 'x' }, 'Write shm:/absolute/path, or shm:NAME'],
    [{ kind: 'shm', path: '' }, 'Write shm:/absolute/path, or shm:NAME'],
    [{ kind: 'shm', path: 7 }, 'path: expected a string, got a number'],
    [{ kind: 'shm', nam: 'x' }, 'unknown key "nam"; did you mean "name"?'],
    [{ kind: 'shn', name: 'x' }, "did you mean 'shm'?"],
    [{ kind: 'shm', name: 'x', memory: 'shared' }, 'unknown key "memory"'],
  ]
  for (const [given, advice] of wrong) {
    const { message } = throws(t, () => engine.transport(given as Endpoint), 'ERR_INVALID_ENDPOINT')
    t.true(message.includes(advice), message)
  }
})

onUnix('a shm: path keeps the rules of a socket path', (t) => {
  for (const [endpoint, advice] of [
    ['shm:/tmp/x/', 'it ends in a slash'],
    ['shm:/tmp/a\0b', 'contains a NUL'],
  ] as const) {
    const error = throws(t, () => engine.transport(endpoint), 'ERR_INVALID_ENDPOINT')
    t.true(error.message.includes(advice), error.message)
    t.is(error.endpoint, endpoint)
  }
  const long = throws(t, () => engine.transport(`shm:/${'p'.repeat(LIMIT)}`), 'ERR_PATH_TOO_LONG')
  t.regex(long.message, /or shm:NAME/)
})

test.serial('on Windows there is no shared memory, and the error says what to use', (t) => {
  onWindows(() => {
    for (const endpoint of ['shm:x', 'shm:/tmp/x', { kind: 'shm', name: 'x' }] as const) {
      const { message } = throws(t, () => engine.transport(endpoint), 'ERR_UNSUPPORTED_PLATFORM')
      t.regex(message, /not available on Windows.*local:NAME/)
    }
    const local = throws(t, () => memoryOf('local:x', { memory: 'shared' }), 'ERR_UNSUPPORTED_PLATFORM')
    t.is(local.endpoint, 'local:x')
    t.regex(local.message, /not available on Windows.*Leave memory out/)
    t.is(memoryOf('local:x', { memory: 'socket' }), 'none')
  })
})

onUnix(
  'shm: endpoints share memory by default, others where the option says so, and only then do they shake hands',
  (t) => {
    t.is(memoryOf('shm:x', {}), 'shared')
    t.is(memoryOf('shm:x', { memory: undefined }), 'shared')
    t.is(memoryOf('shm:/tmp/x', { memory: 'shared' }), 'shared')
    t.is(memoryOf('shm:x', { memory: 'socket' }), 'socket', 'it shakes hands, and offers its socket only')
    for (const endpoint of ['unix:/tmp/x', 'local:x']) {
      t.is(memoryOf(endpoint, {}), 'none')
      t.is(memoryOf(endpoint, { memory: 'socket' }), 'none')
      t.is(memoryOf(endpoint, { memory: 'shared' }), 'shared')
    }
    for (const endpoint of ['memory:x', 'stdio:']) t.is(memoryOf(endpoint, { memory: 'socket' }), 'none')
  },
)

test.serial('an endpoint that has no Unix socket cannot share memory', (t) => {
  const pipe = { kind: 'pipe', path: 'x', readableAll: false, writableAll: false } as const
  const unsuited: (Endpoint | ResolvedEndpoint)[] = [
    'memory:x',
    { kind: 'stdio', command: 'x' },
    { kind: 'pipe', text: 'pipe:x', route: { via: 'target', target: pipe } },
  ]
  for (const endpoint of unsuited) {
    const { message } = throws(t, () => memoryOf(endpoint, { memory: 'shared' }), 'ERR_INVALID_OPTION')
    t.regex(message, /memory: only unix:, local:, shm: and fd: endpoints can share memory\. Leave memory out/)
  }
})

onUnix('a framing is refused where frames may go through shared memory', (t) => {
  const both = { memory: 'shared', framing: 'line' } as const
  for (const [endpoint, options] of [
    ['shm:x', { framing: 'line' }],
    ['shm:x', { framing: 'length-be', memory: 'socket' }],
    ['unix:/tmp/x', both],
    ['local:x', both],
  ] as const) {
    const { message } = throws(t, () => engine.transport(endpoint, options), 'ERR_INVALID_OPTION')
    t.regex(message, /framing: over shared memory frames are opaque; leave framing out/)
  }
  t.is(memoryOf('shm:x', { framing: 'length' }), 'shared')
  t.is(memoryOf('unix:/tmp/x', { framing: 'line', memory: 'socket' }), 'none')
})

onUnix('one error lists these problems with all others', (t) => {
  const options = { framing: 'line', memory: 'shard', mode: -1 } as unknown as TransportOptions
  const { message } = throws(t, () => engine.transport('shm:x', options), 'ERR_INVALID_OPTION')
  t.regex(message, /3 problems/)
  t.regex(message, /memory: expected "socket" or "shared", got a string; did you mean "shared"\?/)
})

onUnix('a name where nobody listens is told as it was written', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `shm:${randomName()}`
  const { message } = await rejects(t, engine.transport(endpoint).connect(), 'ERR_NOT_FOUND')
  t.true(message.startsWith(`connecting to ${endpoint}: there is no /`), message)
})
