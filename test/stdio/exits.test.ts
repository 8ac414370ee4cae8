/** Every way of reading reports that a child has failed; what the child sent before is not lost. */
import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { toDuplex, toJsonRpc, toWebStreams } from '../../api/adapters/index.js'
import {
  createEngine,
  TransportError,
  type ChildEndpoint,
  type Connection,
  type Engine,
  type TransportOptions,
} from '../../api/index.js'
import { isThere, sh } from '../helpers/small-children.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { signal, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const SECRET = 'hunter2'

failOnWarnings()

let engine: Engine

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1 })
})

test.serial.after.always('everything was released', async (t) => {
  const { leaked, byKind } = await engine.close({ graceMs: 0 })
  t.is(leaked, 0, JSON.stringify(byKind))
})

function scene(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  const declare = process.platform === 'win32' ? test.serial.skip : test.serial
  declare(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    await body(t)
    await until(() => engine.stats().connections === 0)
  })
}

function start(script: string, options: TransportOptions = {}): Promise<Connection> {
  return engine.transport(sh(script), { framing: 'line', ...options }).connect()
}

const FAILING = 'echo one; echo two; echo wrong >&2; exit 7'

/** Both what reading was refused with and what `closed` says. */
async function assertFailed(t: ExecutionContext, connection: Connection, error: unknown): Promise<void> {
  const { code, cause, exitCode } = await connection.closed
  t.deepEqual([code, exitCode], ['ERR_EXIT', 7])
  t.is(error, cause)
}

scene('receive() rejects with ERR_EXIT after the last frame of a child that fails, each time', async (t) => {
  const connection = await start(FAILING)
  t.is(String(await connection.receive()), 'one')
  t.is(String(await connection.receive()), 'two')
  await assertFailed(t, connection, await rejects(t, connection.receive(), 'ERR_EXIT'))
  await assertFailed(t, connection, await rejects(t, connection.receive(), 'ERR_EXIT'))
})

scene('so it does for a reader that begins when all is over', async (t) => {
  const connection = await start(FAILING)
  await connection.closed
  t.is(String(await connection.receive()), 'one')
  t.is(String(await connection.receive()), 'two')
  await assertFailed(t, connection, await rejects(t, connection.receive(), 'ERR_EXIT'))
})

scene('a for await loop throws it behind the last frame', async (t) => {
  const connection = await start(FAILING)
  const said: string[] = []
  const reading = (async () => {
    for await (const frame of connection) said.push(String(frame))
  })()
  await assertFailed(t, connection, await rejects(t, reading, 'ERR_EXIT'))
  t.deepEqual(said, ['one', 'two'])
})

scene('a subscriber gets every frame, and `closed` says how the child ended', async (t) => {
  const connection = await start(FAILING)
  const said: string[] = []
  connection.subscribe((frame) => said.push(String(frame)))
  const { code, exitCode } = await connection.closed
  t.deepEqual([code, exitCode, said], ['ERR_EXIT', 7, ['one', 'two']])
})

scene('a child that succeeds ends the stream', async (t) => {
  const connection = await start('echo one')
  t.is(String(await connection.receive()), 'one')
  t.is(await connection.receive(), undefined)
  t.is(await connection.receive(), undefined)
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})

scene('readers see the end only when the child has exited; the wait for it can be aborted', async (t) => {
  const connection = await start('echo $$; exec 1>&-; read line; exit 7', { allowHalfOpen: false })
  const pid = Number(await connection.receive())
  const error = await rejects(t, connection.receive(), 'ERR_EXIT')
  t.false(isThere(pid))
  await assertFailed(t, connection, error)
  const other = await start("trap '' TERM; exec 1>&-; exec sleep 1000")
  await until(() => other.capabilities.halfClose)
  const abort = new AbortController()
  const waiting = other.receive({ signal: abort.signal })
  await setImmediate()
  abort.abort()
  await rejects(t, waiting, 'ERR_ABORTED')
  const again = other.receive()
  other.destroy()
  await rejects(t, again, 'ERR_ABORTED')
  await other.closed
})

/**
 * The header of a frame of 200,000 bytes, and less than a third of it: too large to wait for, so read while it comes.
 */
const CUT_OFF = "printf '\\100\\015\\003\\000'; head -c 60000 /dev/zero"

scene('a large frame that is cut off is not a clean end, whatever the child does next', async (t) => {
  const ways = [
    [CUT_OFF, 'ERR_TRUNCATED'],
    [`${CUT_OFF}; exit 5`, 'ERR_EXIT'],
    [`${CUT_OFF}; exec 1>&-; exec sleep 1000`, 'ERR_TRUNCATED'],
  ] as const
  for (const [script, code] of ways) {
    for (const allowHalfOpen of [false, true]) {
      const connection = await start(script, { framing: 'length', allowHalfOpen })
      const error = await rejects(t, connection.receive(), code)
      t.is((await connection.closed).cause, error)
      t.is(await rejects(t, connection.receive(), code), error)
    }
  }
  // The child must not speak first: a pool takes that for an unexpected byte.
  const pool = engine.transport(sh(`read -r line; ${CUT_OFF}`), { framing: 'length' }).pool({ max: 1 })
  const reading = pool.use((connection) => {
    connection.send('go\n')
    return connection.receive()
  })
  await rejects(t, reading, 'ERR_TRUNCATED')
  await pool.close()
})

scene('a child that has ended its stdout and reads nothing is ended within its time limits', async (t) => {
  const endpoint = sh('echo one; exec 1>&-; exec sleep 1000', { terminateAfterMs: 20 })
  const connection = await engine.transport(endpoint, { framing: 'line' }).connect()
  for (let i = 0; i < 40; i++) connection.send(Buffer.alloc(100_000, 'a'))
  t.is(String(await connection.receive()), 'one')
  const error = await rejects(t, connection.receive(), 'ERR_EXIT')
  const { cause, signal } = await connection.closed
  t.is(cause, error)
  t.is(signal, 'SIGTERM')
})

scene('with allowHalfOpen readers see the end of its stdout while it lives, and can answer', async (t) => {
  const connection = await start('echo one; exec 1>&-; read line; exit 7', { allowHalfOpen: true })
  t.is(String(await connection.receive()), 'one')
  t.is(await connection.receive(), undefined)
  connection.send('go')
  await connection.end()
  const { code, exitCode } = await connection.closed
  t.deepEqual([code, exitCode], ['ERR_EXIT', 7])
  t.is(await connection.receive(), undefined)
})

scene('a Duplex delivers everything, then the error', async (t) => {
  for (const slow of [false, true]) {
    const connection = await start(FAILING)
    const stream = toDuplex(connection, { objectMode: true })
    const said: string[] = []
    const reading = (async () => {
      for await (const chunk of stream) {
        if (slow) await connection.closed
        said.push(String(chunk))
      }
    })()
    await assertFailed(t, connection, await rejects(t, reading, 'ERR_EXIT'))
    t.deepEqual(said, ['one', 'two'])
  }
})

scene('a pipeline out of a Duplex fails', async (t) => {
  const connection = await start(FAILING)
  let said = ''
  const piping = pipeline(toDuplex(connection), async (source) => {
    for await (const chunk of source) said += String(chunk)
  })
  await assertFailed(t, connection, await rejects(t, piping, 'ERR_EXIT'))
  t.is(said, 'onetwo')
  t.is(await text(toDuplex(await start('echo fine'))), 'fine')
})

scene('a web stream delivers everything, then the error', async (t) => {
  const connection = await start(FAILING)
  const said: string[] = []
  const reading = (async () => {
    for await (const chunk of toWebStreams(connection).readable) said.push(Buffer.from(chunk).toString())
  })()
  await assertFailed(t, connection, await rejects(t, reading, 'ERR_EXIT'))
  t.deepEqual(said, ['one', 'two'])
})

scene('a JSON-RPC reader reports it as an error, before the close', async (t) => {
  const connection = await start('echo \'{"jsonrpc":"2.0"}\'; exit 7')
  const { reader } = toJsonRpc(connection)
  const told: string[] = []
  const over = signal()
  let failure: unknown
  reader.onError((error) => {
    failure = error
    told.push('error')
  })
  reader.onClose(() => {
    told.push('close')
    over.resolve()
  })
  reader.listen(() => told.push('message'))
  await over.promise
  t.deepEqual(told, ['message', 'error', 'close'])
  await assertFailed(t, connection, failure)
})

scene(
  'a reconnecting connection reads on across children that fail, and ends with the exit of the last one',
  async (t) => {
    const connection = engine
      .transport(sh('echo $$; read line; exit 7'), { framing: 'line' })
      .reconnecting({ backoff: { initialMs: 0, maxMs: 0 } })
    t.is(connection.info.pid, undefined)
    const first = Number(await connection.receive())
    t.is(connection.info.pid, first)
    const inTheMeantime = new Set<number | undefined>()
    connection.onStateChange((state) => {
      if (state === 'waiting' || state === 'connecting') inTheMeantime.add(connection.info.pid)
    })
    connection.send('go')
    const second = Number(await connection.receive())
    t.not(second, first)
    t.is(connection.info.pid, second)
    t.deepEqual([...inTheMeantime], [undefined])
    const ended = connection.end()
    const error = await rejects(t, connection.receive(), 'ERR_EXIT')
    await ended
    t.is((await connection.closed).cause, error)
    t.is(connection.info.pid, undefined)
  },
)

scene('a leased connection has the pid of its child', async (t) => {
  const pool = engine.transport(sh('read -r line; echo $$'), { framing: 'line' }).pool({ max: 1 })
  await pool.use(async (connection) => {
    // The child must not speak first: a pool takes a greeting for an unexpected byte.
    connection.send('who are you')
    t.is(connection.info.pid, Number(await connection.receive()))
  })
  await pool.close()
})

/** All that printing the error would show: its message, its properties, its causes and theirs. */
function shown(error: unknown): string {
  return inspect(error, { depth: 10, showHidden: true })
}

scene('neither the arguments nor the environment of a child are shown when it cannot be started', async (t) => {
  const endpoint: ChildEndpoint = {
    kind: 'stdio',
    command: '/no/such/program',
    args: ['--token', SECRET],
    env: { TOKEN: SECRET },
  }
  const error = await rejects(t, engine.transport(endpoint).connect(), 'ERR_SPAWN')
  t.notRegex(shown(error), new RegExp(SECRET))
  t.regex(error.message, /\/no\/such\/program/)
})

scene('a misspelt or wrong key of a child shows none of its values', async (t) => {
  const command = '/bin/cat'
  const base = { kind: 'stdio', command, args: [SECRET], env: { TOKEN: SECRET } } as const
  const wrong: readonly (readonly [name: RegExp, endpoint: object])[] = [
    [/unknown key "argz"; did you mean "args"\?/, { ...base, argz: [SECRET] }],
    [/unknown key "environment"/, { ...base, environment: { TOKEN: SECRET } }],
    [/args: expected an array of strings, got a string/, { ...base, args: SECRET }],
    [/args\.1: expected a string, got an object/, { ...base, args: ['x', { [SECRET]: SECRET }] }],
    [/env\.PORT: expected a string, got a number/, { ...base, env: { TOKEN: SECRET, PORT: 80 } }],
    [/env\.TOKEN: it contains a NUL/, { ...base, env: { TOKEN: `${SECRET}\0` } }],
    [/args\.0: it contains a NUL/, { ...base, args: [`${SECRET}\0`] }],
    [/env: expected an object of strings, got an array/, { ...base, env: [`TOKEN=${SECRET}`] }],
    [/env: expected an object of strings, got a string/, { ...base, env: SECRET }],
    [/cwd: expected a string, got an object/, { ...base, cwd: { SECRET } }],
    [/cwd: it contains a NUL/, { ...base, cwd: '/tmp/\0' }],
    [/stderr: expected .*"capture".*, got a string; did you mean "inherit"\?/, { ...base, stderr: 'inherti' }],
    [/killAfterMs: expected a number from 0 to \d+ milliseconds, got -1/, { ...base, killAfterMs: -1 }],
    [/command: expected .*, got nothing/, { ...base, command: undefined }],
  ]
  for (const [name, endpoint] of wrong) {
    const error = throws(t, () => engine.transport(endpoint as ChildEndpoint), 'ERR_INVALID_ENDPOINT')
    t.regex(error.message, name)
    t.notRegex(shown(error), new RegExp(SECRET))
  }
  const several = { ...base, argz: [], enf: {}, cwd: 5 }
  const error = throws(t, () => engine.transport(several), 'ERR_INVALID_ENDPOINT')
  t.regex(error.message, /\n- unknown key "argz".*\n- unknown key "enf".*\n- cwd: expected a string, got a number$/)
  t.true(error instanceof TransportError)
  await Promise.resolve()
})
