/**
 * Child processes on every platform: the children are programs of Node, and nothing here knows a shell or a signal
 * handler.
 */
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { startEngine, type Engine } from '../../api/engine.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import type { ChildEndpoint, Connection, EngineOptions, TransportOptions } from '../../api/index.js'
import { ChildProgram, type ChildExit } from '../helpers/child-program.js'
import { isRunning, nodeProgram, type ChildChoices } from '../helpers/small-children.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { faultyOptions, strike, type Fault } from '../helpers/faults.js'
import { receiveToEnd } from '../helpers/frames.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
const LINES = { framing: 'line' } as const
const CLEAN = { code: 'OK', exitCode: 0, signal: null }

failOnWarnings()

/** A child that follows orders, and ends with its stdin or not at all. */
const obedient = (end: 'ends' | 'sits' = 'ends', choices: ChildChoices = {}): ChildEndpoint =>
  nodeProgram('obedient-child', [end], choices)

/** An engine for one test, and the children that must be gone at its end. */
class Scene {
  readonly #connections: Connection[] = []
  readonly #engines: Engine[] = []
  readonly #pids: number[] = []

  async engine(options: EngineOptions = {}, clock: Clock = systemClock): Promise<Engine> {
    const engine = await startEngine({ shards: 1, ...options }, clock)
    this.#engines.push(engine)
    return engine
  }

  /** Resolves once the child has said its pid. */
  async start(engine: Engine, endpoint: ChildEndpoint, options: TransportOptions = {}): Promise<Connection> {
    const connection = await engine.transport(endpoint, { ...LINES, ...options }).connect()
    this.#connections.push(connection)
    const pid = connection.info.pid ?? 0
    this.#pids.push(pid)
    const said = String(await connection.receive())
    if (said !== String(pid)) throw new Error(`the child said ${said}, and its pid is ${String(pid)}`)
    return connection
  }

  async cleanUp(): Promise<readonly string[]> {
    for (const connection of this.#connections) connection.destroy()
    const left: string[] = []
    for (const engine of this.#engines) {
      const { leaked, byKind } = await engine.close({ graceMs: 0 })
      if (leaked !== 0) left.push(JSON.stringify(byKind))
    }
    for (const pid of this.#pids) {
      await until(() => !isRunning(pid))
    }
    return left
  }
}

function scene(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  test.serial(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const here = new Scene()
    try {
      await body(t, here)
    } finally {
      t.deepEqual(await here.cleanUp(), [])
    }
  })
}

const words = async (connection: Connection): Promise<string[]> => (await receiveToEnd(connection)).map(String)

scene('a child answers, ends with its stdin, and is gone when closed has settled', async (t, here) => {
  const connection = await here.start(await here.engine(), obedient())
  const pid = connection.info.pid ?? 0
  t.true(isRunning(pid))
  t.is(connection.info.kind, 'stdio')
  t.true(connection.capabilities.halfClose)
  connection.send('grün')
  t.is(String(await connection.receive()), 'grün')
  t.deepEqual(await connection.close(), CLEAN)
  t.false(isRunning(pid))
})

scene('what a child sends after the end of its stdin arrives', async (t, here) => {
  const connection = await here.start(await here.engine(), obedient())
  connection.send('count 3')
  await connection.end()
  t.deepEqual(await words(connection), ['1', '2', '3'])
  t.deepEqual(await connection.closed, CLEAN)
})

scene('output far larger than rings and pipes is read to its end after the exit', async (t, here) => {
  const last = 100_000
  const connection = await here.start(await here.engine({ maxRingBytes: 32_768 }), obedient())
  connection.send(`count ${String(last)}`)
  connection.send('exit 0')
  const said = await words(connection)
  t.deepEqual([said.length, said[0], said.at(-1)], [last, '1', String(last)])
  t.deepEqual(await connection.closed, CLEAN)
})

scene('a child that fails gives ERR_EXIT, its code, and its stderr', async (t, here) => {
  const connection = await here.start(await here.engine(), obedient())
  connection.send('error it went wrong')
  connection.send('exit 7')
  await rejects(t, receiveToEnd(connection), 'ERR_EXIT')
  const { code, cause, exitCode, signal } = await connection.closed
  t.deepEqual([code, exitCode, signal], ['ERR_EXIT', 7, null])
  t.regex(cause?.message ?? '', /exited with code 7\. It said: it went wrong$/)
})

scene('stderr comes line by line, or is ignored', async (t, here) => {
  const engine = await here.engine()
  const lines: string[] = []
  const heard = await here.start(engine, obedient('ends', { stderr: (line) => lines.push(line) }))
  const ignored = await here.start(engine, obedient('ends', { stderr: 'ignore' }))
  for (const connection of [heard, ignored]) {
    connection.send('error one')
    connection.send('error zwölf')
    connection.send('exit 2')
  }
  const [, { cause }] = await Promise.all([heard.closed, ignored.closed])
  t.deepEqual(lines, ['one', 'zwölf'])
  t.regex(cause?.message ?? '', /exited with code 2\.$/)
})

const LADDER = { terminateAfterMs: 2_001, killAfterMs: 2_002 }

scene('a child that does not end with its stdin is ended after terminateAfterMs', async (t, here) => {
  const clock = new ManualClock((ms) => ms === LADDER.terminateAfterMs || ms === LADDER.killAfterMs)
  const engine = await here.engine({}, clock)
  const connection = await here.start(engine, obedient('sits', LADDER))
  connection.send('still here')
  const closed = connection.close()
  t.is(String(await connection.receive()), 'still here')
  t.deepEqual(clock.armed, [LADDER.terminateAfterMs])
  clock.advance(LADDER.terminateAfterMs)
  const { code, exitCode, signal } = await closed
  t.deepEqual([code, exitCode, signal], ['ERR_EXIT', null, 'SIGTERM'])
  t.deepEqual(clock.armed, [])
})

scene('destroy() ends the child', async (t, here) => {
  const connection = await here.start(await here.engine(), obedient('sits'))
  connection.destroy()
  const { code, exitCode, signal } = await connection.closed
  t.deepEqual([code, exitCode, signal], ['ERR_ABORTED', null, 'SIGTERM'])
  throws(t, () => connection.send('late'), 'ERR_CLOSED')
})

scene('closing the engine ends children that ignore everything else', async (t, here) => {
  const engine = await here.engine()
  const connection = await here.start(engine, obedient('sits'))
  const { leaked, byKind } = await engine.close({ graceMs: 5 })
  t.deepEqual([leaked, byKind.children], [0, { opened: 1, released: 1 }])
  t.is((await connection.closed).code, 'ERR_ENGINE_CLOSED')
})

for (const [what, choices, message] of [
  ['a command that is not there', { command: 'no-such-command' }, /no such command/],
  ['a path that is not there', { command: '/no/such/command' }, /no such command/],
  ['a folder as a command', { command: process.cwd() }, /it is a folder, not a command/],
  ['a missing folder to run in', { command: process.execPath, cwd: '/no/such/folder' }, /no folder \/no\/such\/folder/],
  ['a file to run in', { command: process.execPath, cwd: process.execPath }, /is not a folder/],
] as const) {
  scene(`${what} gives ERR_SPAWN and says so`, async (t, here) => {
    const engine = await here.engine()
    const endpoint = { kind: 'stdio', ...choices } as const
    const error = await rejects(t, engine.transport(endpoint).connect(), 'ERR_SPAWN')
    t.regex(error.message, message)
    t.true(error.cause instanceof Error)
    await until(() => engine.stats().connections === 0)
  })
}

scene('arguments and environment reach the child as they are', async (t, here) => {
  const args = ['a b', '%PATH%', '"quoted"', "it's", 'ü 世界', '', '*', '\\', 'back\\"slash', '-n', '^&|']
  const script = 'console.log(JSON.stringify([process.env.FOO, process.env.BAR, ...process.argv.slice(1)]))'
  const env = { FOO: 'a = b', SystemRoot: process.env['SystemRoot'] }
  const endpoint = {
    kind: 'stdio',
    command: process.execPath,
    args: ['-e', script, '--', ...args],
    env,
  } as const
  const connection = await (await here.engine()).transport(endpoint, LINES).connect()
  const said: unknown = JSON.parse(String(await connection.receive()))
  t.deepEqual(said, ['a = b', null, ...args])
  t.is((await connection.closed).code, 'OK')
})

scene('a connect that is aborted at any turn leaves nothing behind', async (t, here) => {
  const engine = await here.engine()
  const transport = engine.transport(obedient('sits'), LINES)
  const ends: string[] = []
  for (let turn = 0; ends.filter((end) => end === 'connected').length < 3; turn++) {
    const controller = new AbortController()
    const connecting = transport.connect({ signal: controller.signal }).then(
      async (connection) => {
        connection.destroy()
        await connection.closed
        return 'connected'
      },
      (error: unknown) => (error as { code: string }).code,
    )
    await turns(turn)
    controller.abort()
    ends.push(await connecting)
  }
  t.is(ends[0], 'ERR_ABORTED')
  t.true(ends.every((end) => end === 'ERR_ABORTED' || end === 'connected'))
  await until(() => {
    const { children, connections, lanes } = engine.stats().ledger.byKind
    return [children, connections, lanes].every(({ opened, released }) => opened === released)
  })
})

for (const fault of ['throw', 'exit', 'stuck'] satisfies Fault[]) {
  scene(`${fault}: a shard that dies takes its child with it, and the next one starts another`, async (t, here) => {
    const engine = await here.engine(faultyOptions(fault))
    const connection = await here.start(engine, obedient('sits'))
    const pid = connection.info.pid ?? 0
    await strike(engine, 0, fault)
    if (fault === 'stuck') connection.send('into the void')
    await rejects(t, receiveToEnd(connection), 'ERR_SHARD_LOST')
    t.is((await connection.closed).code, 'ERR_SHARD_LOST')
    t.false(isRunning(pid))
    const next = await here.start(engine, obedient())
    t.not(next.info.pid, pid)
    next.send('again')
    t.is(String(await next.receive()), 'again')
    t.deepEqual(await next.close(), CLEAN)
  })
}

scene('ten children at once answer, each its own, and end', async (t, here) => {
  const engine = await here.engine({ shards: 2 })
  const connections = await Promise.all(Array.from({ length: 10 }, () => here.start(engine, obedient())))
  t.is(new Set(connections.map(({ info }) => info.pid)).size, connections.length)
  for (const [i, connection] of connections.entries()) connection.send(`to ${String(i)}`)
  for (const [i, connection] of connections.entries()) t.is(String(await connection.receive()), `to ${String(i)}`)
  const ends = await Promise.all(connections.map((connection) => connection.close()))
  t.true(ends.every(({ code }) => code === 'OK'))
})

/** Runs a host until it is over and its child is gone; what it ended with. */
async function endOf(
  t: ExecutionContext,
  how: string,
  child: 'ends' | 'sits',
  lead: (host: ChildProgram) => void = () => undefined,
): Promise<ChildExit> {
  t.timeout(WATCHDOG_MS)
  const host = ChildProgram.start('node-child-host', [how, child])
  let pid = 0
  try {
    pid = Number(await host.next())
    if (!Number.isSafeInteger(pid) || pid < 2) throw new Error('the host named no child')
    lead(host)
    const exit = await host.exit
    await until(() => !isRunning(pid))
    return exit
  } finally {
    host.kill('SIGKILL')
    if (pid > 1 && isRunning(pid)) process.kill(pid, 'SIGKILL')
  }
}

test.serial("an unref'd connection to a child does not keep the host alive, and the child goes with it", async (t) => {
  const { code, stderr } = await endOf(t, 'returns', 'sits')
  t.deepEqual([code, stderr], [0, ''])
})

test.serial('a child goes with a host that exits', async (t) => {
  const { code, stderr } = await endOf(t, 'exits', 'sits')
  t.deepEqual([code, stderr], [0, ''])
})

test.serial('a child goes with a host that throws', async (t) => {
  const { code, stderr } = await endOf(t, 'throws', 'sits')
  t.is(code, 1)
  t.regex(stderr, /the host is broken/)
})

// On Windows the system ends the children of a process that is gone; elsewhere the end of their stdin has to do.
test.serial('a child goes with a host that is killed', async (t) => {
  const child = process.platform === 'win32' ? 'sits' : 'ends'
  const { signal } = await endOf(t, 'waits', child, (host) => {
    host.kill('SIGKILL')
  })
  t.is(signal, 'SIGKILL')
})
