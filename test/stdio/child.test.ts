/** Child processes: how they start, what they send, how they end, and that nothing is left of them. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import {
  createEngine,
  type ChildEndpoint,
  type Connection,
  type EngineOptions,
  type TransportError,
  type TransportErrorCode,
  type TransportOptions,
} from '../../api/index.js'
import { startEngine, type Engine } from '../../api/engine.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { countChildren, isRunning, isThere, nodeProgram, sh } from '../helpers/small-children.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { FailureBook } from '../helpers/failure-book.js'
import { faultyOptions, strike, type Fault } from '../helpers/faults.js'
import { receiveToEnd } from '../helpers/frames.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { processResources } from '../helpers/process-resources.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const LINES = { framing: 'line' } as const

failOnWarnings()

const failures = new FailureBook()

let shared: Engine
/** The system's temporary folder of this process: what a test leaves there is seen. */
let folder: TemporaryFolder

test.serial.before('an engine starts', async () => {
  folder = await makeTemporaryFolder()
  process.env['TMPDIR'] = folder.path
  shared = await createEngine({ shards: 1, onError: failures.onError })
})

test.serial.after.always('everything was released', async (t) => {
  const { leaked, byKind } = await shared.close()
  t.is(leaked, 0, JSON.stringify(byKind))
  await folder.remove()
})

/** What a test needs, and what it has to give back. */
class Scene {
  readonly #connections: Connection[] = []
  readonly #engines: Engine[] = []
  readonly #pids: number[] = []

  readonly start = async (
    endpoint: ChildEndpoint,
    options: TransportOptions = {},
    engine: Engine = shared,
  ): Promise<Connection> => {
    const connection = await engine.transport(endpoint, { ...LINES, ...options }).connect()
    this.#connections.push(connection)
    return connection
  }

  async engine(options: EngineOptions = {}, clock: Clock = systemClock): Promise<Engine> {
    const engine = await startEngine({ shards: 1, ...options }, clock)
    this.#engines.push(engine)
    return engine
  }

  /** A process that the test kills at its end. */
  pid(frame: Buffer | undefined): number {
    const pid = Number(String(frame))
    if (!Number.isSafeInteger(pid) || pid < 2) throw new Error(`${String(frame)} is no process`)
    this.#pids.push(pid)
    return pid
  }

  async cleanUp(): Promise<void> {
    for (const pid of this.#pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
    for (const connection of this.#connections) {
      connection.destroy()
      const { pid } = connection.info
      if (pid !== undefined && isRunning(pid)) process.kill(pid, 'SIGKILL')
    }
    await Promise.all(this.#connections.map((connection) => connection.closed))
    await Promise.all(this.#engines.map((engine) => engine.close({ graceMs: 0 })))
  }
}

function scene(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  const declare = process.platform === 'linux' ? test.serial : test.serial.skip
  declare(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const here = new Scene()
    try {
      await body(t, here)
    } finally {
      await here.cleanUp()
    }
    const { children } = shared.stats().ledger.byKind
    t.is(children.released, children.opened)
    t.is(shared.stats().connections, 0)
    t.is(countChildren(), 0)
    t.deepEqual(await folder.list(), [])
  })
}

const words = async (connection: Connection): Promise<string[]> => (await receiveToEnd(connection)).map(String)

/** What it sent, and the error of the last receive(). */
async function untilRefused(connection: Connection): Promise<[string[], TransportErrorCode | undefined]> {
  const said: string[] = []
  try {
    for await (const frame of connection) said.push(String(frame))
    return [said, undefined]
  } catch (error) {
    return [said, (error as TransportError).code]
  }
}

scene('info has the pid, and the child belongs to this process until it has ended', async (t, { start }) => {
  const connection = await start(sh('echo $$; exec cat'))
  const pid = Number(await connection.receive())
  t.is(connection.info.pid, pid)
  t.is(connection.info.kind, 'stdio')
  t.is(connection.info.endpoint, 'stdio:/bin/sh')
  t.is(countChildren(), 1)
  t.deepEqual(await connection.close(), { code: 'OK', exitCode: 0, signal: null })
  t.false(isThere(pid))
})

scene('a child that succeeds has ended with OK', async (t, { start }) => {
  const connection = await start(sh('echo done'))
  t.deepEqual(await words(connection), ['done'])
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})

scene('a child that fails has ended with ERR_EXIT, its code and its stderr', async (t, { start }) => {
  const connection = await start(sh('echo out; echo it went wrong >&2; exit 7'))
  t.deepEqual(await untilRefused(connection), [['out'], 'ERR_EXIT'])
  const { code, cause, exitCode, signal } = await connection.closed
  t.deepEqual([code, exitCode, signal], ['ERR_EXIT', 7, null])
  t.regex(cause?.message ?? '', /exited with code 7\. It said: it went wrong$/)
})

for (const framing of ['line', 'length'] as const) {
  scene(
    `a child that fails in the middle of a frame of ${framing} framing has ended with ERR_EXIT`,
    async (t, { start }) => {
      const connection = await start(sh('printf out; echo it went wrong >&2; exit 7'), { framing })
      await rejects(t, connection.receive(), 'ERR_EXIT')
      const { code, cause, exitCode } = await connection.closed
      t.deepEqual([code, exitCode], ['ERR_EXIT', 7])
      t.regex(cause?.message ?? '', /exited with code 7\. It said: it went wrong$/)
      t.is((cause?.cause as { readonly code?: unknown }).code, 'ERR_TRUNCATED')
    },
  )
}

scene('a child that breaks off in the middle of a frame and lives on is ended for that', async (t, { start }) => {
  const connection = await start(sh('printf out; exec sleep 1000 >&-'))
  await rejects(t, connection.receive(), 'ERR_TRUNCATED')
  const { code, signal: by } = await connection.closed
  t.deepEqual([code, by], ['ERR_TRUNCATED', 'SIGTERM'])
})

scene('the error has the beginning of a long stderr', async (t, { start }) => {
  const connection = await start(sh('seq 1 100000 >&2; exit 1'))
  const { cause } = await connection.closed
  t.regex(cause?.message ?? '', /It said: 1\n2\n3\n/)
  t.true((cause?.message.length ?? 0) < 2_200)
})

scene('a child that a signal ends has ended with ERR_EXIT and the signal', async (t, { start }) => {
  const connection = await start(sh('kill -KILL $$'))
  const { code, cause, exitCode, signal } = await connection.closed
  t.deepEqual([code, exitCode, signal], ['ERR_EXIT', null, 'SIGKILL'])
  t.regex(cause?.message ?? '', /was ended by SIGKILL/)
})

scene('a child that exits at once is a connection that has ended', async (t, { start }) => {
  const connection = await start({ kind: 'stdio', command: 'true' })
  t.is(await connection.receive(), undefined)
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})

const sequence = (last: number): string => {
  const hash = createHash('sha1')
  for (let i = 1; i <= last; i++) hash.update(`${String(i)}\n`)
  return hash.digest('hex')
}

async function digestToEnd(connection: Connection): Promise<string> {
  const hash = createHash('sha1')
  for await (const bytes of connection) hash.update(bytes)
  return hash.digest('hex')
}

scene('output far larger than rings and sockets is read to its end', async (t, here) => {
  const engine = await here.engine({ maxRingBytes: 32_768 })
  const connection = await here.start(sh('seq 1 1000000'), { framing: 'raw' }, engine)
  t.is(await digestToEnd(connection), sequence(1_000_000))
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})

scene('what a child sent is kept for a reader that comes long after its exit', async (t, here) => {
  const clock = new ManualClock((ms) => ms === 2_003)
  const engine = await here.engine({ initialRingBytes: 4096, maxRingBytes: 4096 }, clock)
  const options = { framing: 'line', closeTimeoutMs: 2_003 } as const
  const connection = await here.start(sh('seq 1 10000; exit 4'), options, engine)
  const { pid = 0 } = connection.info
  // More than the ring has room for, less than the socket has, so the child need not wait. In lines, since main
  // gathers a frame that is larger than half the ring, whether or not the host reads.
  await until(() => !isThere(pid))
  await until(() => (engine.stats().shards[0]?.pausedReads ?? 0) > 0)
  for (let i = 0; i < 5; i++) {
    await until(() => clock.armed.length === 1)
    clock.advance(2_003)
  }
  const [lines, refusal] = await untilRefused(connection)
  t.deepEqual([lines.length, lines[0], lines.at(-1), refusal], [10_000, '1', '10000', 'ERR_EXIT'])
  t.is((await connection.closed).exitCode, 4)
})

scene('close() is bounded also when the host does not read what the child sent', async (t, here) => {
  const engine = await here.engine({ initialRingBytes: 4096, maxRingBytes: 4096 })
  const connection = await here.start(sh('seq 1 10000'), { framing: 'line', closeTimeoutMs: 10 }, engine)
  const { pid = 0 } = connection.info
  await until(() => !isThere(pid))
  await until(() => (engine.stats().shards[0]?.pausedReads ?? 0) > 0)
  const { code, exitCode } = await connection.close()
  t.deepEqual([code, exitCode], ['ERR_TIMEOUT', 0])
})

const LADDER = { terminateAfterMs: 2_001, killAfterMs: 2_002 }
const isStep = (ms: number): boolean => ms === 2_001 || ms === 2_002

scene('a child that ends with its stdin gets no signal', async (t, here) => {
  const clock = new ManualClock(isStep)
  const engine = await here.engine({}, clock)
  const connection = await here.start(nodeProgram('stubborn-child', ['end'], LADDER), {}, engine)
  t.is(String(await connection.receive()), 'ready')
  const closed = connection.close()
  t.deepEqual(await words(connection), ['end'])
  t.deepEqual(await closed, { code: 'OK', exitCode: 0, signal: null })
  t.deepEqual(clock.armed, [])
})

scene('a child that ignores the end of its stdin gets SIGTERM', async (t, here) => {
  const clock = new ManualClock(isStep)
  const engine = await here.engine({}, clock)
  const connection = await here.start(nodeProgram('stubborn-child', ['SIGTERM'], LADDER), {}, engine)
  t.is(String(await connection.receive()), 'ready')
  const closed = connection.close()
  t.is(String(await connection.receive()), 'end')
  t.deepEqual(clock.armed, [2_001])
  clock.advance(2_000)
  t.deepEqual(clock.armed, [2_001])
  clock.advance(1)
  t.deepEqual(await words(connection), ['SIGTERM'])
  t.deepEqual(await closed, { code: 'OK', exitCode: 0, signal: null })
  t.deepEqual(clock.armed, [])
})

scene('a child that ignores SIGTERM gets SIGKILL', async (t, here) => {
  const clock = new ManualClock(isStep)
  const engine = await here.engine({}, clock)
  const connection = await here.start(nodeProgram('stubborn-child', ['SIGKILL'], LADDER), {}, engine)
  t.is(String(await connection.receive()), 'ready')
  const closed = connection.close()
  t.is(String(await connection.receive()), 'end')
  clock.advance(2_001)
  t.is(String(await connection.receive()), 'SIGTERM')
  t.deepEqual(clock.armed, [2_002])
  clock.advance(2_002)
  const { code, exitCode, signal: by } = await closed
  t.deepEqual([code, exitCode, by], ['ERR_EXIT', null, 'SIGKILL'])
  t.deepEqual(await untilRefused(connection), [[], 'ERR_EXIT'])
})

scene('destroy() sends SIGTERM once, and then SIGKILL', async (t, here) => {
  const clock = new ManualClock(isStep)
  const engine = await here.engine({}, clock)
  const said: string[] = []
  const heard = signal()
  // On stderr, which is read even after the connection has ended.
  const stderr = (line: string): void => {
    said.push(line)
    heard.resolve()
  }
  const script = "trap 'echo SIGTERM >&2' TERM; echo ready; while :; do sleep 10 & wait $!; kill $!; done"
  const connection = await here.start(sh(script, { ...LADDER, stderr }), {}, engine)
  t.is(String(await connection.receive()), 'ready')
  connection.destroy()
  await heard.promise
  await until(() => engine.stats().connections === 0)
  await turns(20)
  t.deepEqual(clock.armed, [2_002])
  clock.advance(2_002)
  const { code, signal: by } = await connection.closed
  t.deepEqual([code, by], ['ERR_ABORTED', 'SIGKILL'])
  t.deepEqual(said, ['SIGTERM'])
})

const family = 'sleep 1000 <&0 >/dev/null 2>&1 & echo $!; exec cat'

scene('without a process group grandchildren live on', async (t, here) => {
  const connection = await here.start(sh(family))
  const grandchild = here.pid(await connection.receive())
  t.deepEqual(await connection.close(), { code: 'OK', exitCode: 0, signal: null })
  t.true(isRunning(grandchild))
})

scene('with a process group grandchildren end with the child, however it ends', async (t, here) => {
  for (const end of ['close', 'destroy'] as const) {
    const connection = await here.start(sh(family, { processGroup: true }))
    const grandchild = here.pid(await connection.receive())
    t.true(isRunning(grandchild))
    if (end === 'close') await connection.close()
    else connection.destroy()
    await connection.closed
    await until(() => !isRunning(grandchild))
  }
  t.pass()
})

scene('a grandchild of the group that ignores SIGTERM gets SIGKILL, and the engine waits for that', async (t, here) => {
  const engine = await here.engine()
  const script = `(trap '' TERM; echo $$ >/dev/null; exec sleep 1000 >/dev/null 2>&1) & echo $!; exec cat`
  const endpoint = sh(script, { processGroup: true, killAfterMs: 30 })
  const connection = await here.start(endpoint, {}, engine)
  const grandchild = here.pid(await connection.receive())
  await connection.close()
  t.is((await engine.close()).leaked, 0)
  await until(() => !isRunning(grandchild))
})

scene('stderr comes line by line', async (t, { start }) => {
  const lines: string[] = []
  const long = 65_536
  const script = `printf 'one\\r\\ntwo\\n\\ngr\\303\\274n\\n' >&2
    head -c ${String(2 * long + 5)} /dev/zero | tr '\\0' x >&2; echo >&2; printf last >&2; exit 3`
  const connection = await start(sh(script, { stderr: (line) => lines.push(line) }))
  const { cause } = await connection.closed
  t.deepEqual(lines.slice(0, 4), ['one', 'two', '', 'grün'])
  t.deepEqual(
    lines.slice(4).map((line) => line.length),
    [long, long, 5, 4],
  )
  t.is(lines.at(-1), 'last')
  t.regex(cause?.message ?? '', /It said: one/)
})

scene('a function for stderr that throws ends its connection with ERR_HANDLER', async (t, { start }) => {
  let calls = 0
  const stderr = (line: string): void => {
    calls++
    throw new Error(`cannot digest ${line}`)
  }
  const connection = await start(sh('echo ready; read go; echo a >&2; echo b >&2; exec cat', { stderr }))
  t.is(String(await connection.receive()), 'ready')
  connection.send('go')
  const { code, cause } = await connection.closed
  t.is(code, 'ERR_HANDLER')
  t.is((cause?.cause as Error).message, 'cannot digest a')
  t.is(calls, 1)
  t.deepEqual(failures.takeTold(), ['stderr: cannot digest a'])
})

scene('so does a function that rejects', async (t, { start }) => {
  const stderr = (line: string): Promise<void> => Promise.reject(new Error(`cannot digest ${line}`))
  const connection = await start(sh('echo ready; read go; echo a >&2; exec cat', { stderr }))
  t.is(String(await connection.receive()), 'ready')
  connection.send('go')
  const { code, cause } = await connection.closed
  t.deepEqual([code, (cause?.cause as Error).message], ['ERR_HANDLER', 'cannot digest a'])
  t.deepEqual(failures.takeTold(), ['stderr: cannot digest a'])
})

scene('and one that returns a thenable that rejects', async (t, { start }) => {
  const stderr = (): PromiseLike<void> => ({
    then: (_done, fail) => {
      fail?.(new Error('cannot digest'))
      return Promise.resolve() as never
    },
  })
  const connection = await start(sh('echo ready; read go; echo a >&2; exec cat', { stderr }))
  t.is(String(await connection.receive()), 'ready')
  connection.send('go')
  t.is((await connection.closed).code, 'ERR_HANDLER')
  t.deepEqual(failures.takeTold(), ['stderr: cannot digest'])
})

for (const framing of ['length', 'length-be'] as const) {
  for (const isRead of [true, false]) {
    scene(
      `${framing}: a child that logs to stdout is quoted, not counted (${isRead ? 'read' : 'not read'})`,
      async (t, { start }) => {
        const connection = await start(sh(`printf 'Server \\033[1mready\\n'; exec cat`), { framing })
        if (isRead) {
          const { message } = await rejects(t, connection.receive(), 'ERR_FRAME_TOO_LARGE')
          t.regex(message, /^the peer wrote text: "Server \\u\{1b\}\[1mready\\n", .*framing option.*stdout/)
        }
        const { code, cause } = await connection.closed
        t.is(code, 'ERR_FRAME_TOO_LARGE')
        t.regex(cause?.message ?? '', /^the peer wrote text: "Server /)
      },
    )
  }
}

scene('ignored stderr is not in the error', async (t, { start }) => {
  const connection = await start(sh('echo secret >&2; exit 2', { stderr: 'ignore' }))
  const { cause } = await connection.closed
  t.regex(cause?.message ?? '', /exited with code 2\.$/)
})

for (const [what, endpoint, message] of [
  ['a command that is not there', { command: 'no-such-command' }, /no such command/],
  ['a path that is not there', { command: '/no/such/command' }, /no such command/],
  ['a command that is not executable', { command: '/etc/passwd' }, /not executable/],
  ['a folder as a command', { command: '/usr' }, /it is a folder, not a command/],
  ['a missing folder to run in', { command: 'true', cwd: '/no/such/folder' }, /no folder \/no\/such\/folder/],
  ['a file to run in', { command: 'true', cwd: '/etc/passwd' }, /\/etc\/passwd is not a folder/],
] as const) {
  scene(`${what} gives ERR_SPAWN and says so`, async (t, here) => {
    const error = await rejects(t, here.start({ kind: 'stdio', ...endpoint }), 'ERR_SPAWN')
    t.regex(error.message, message)
    t.is(error.endpoint, `stdio:${endpoint.command}`)
    t.true(error.cause instanceof Error)
    await until(() => shared.stats().connections === 0)
  })
}

scene('a script whose interpreter is missing gives ERR_SPAWN and says so', async (t, here) => {
  const own = await makeTemporaryFolder()
  try {
    const command = join(own.path, 'script')
    fs.writeFileSync(command, '#!/no/such/interpreter\n', { mode: 0o700 })
    const error = await rejects(t, here.start({ kind: 'stdio', command }), 'ERR_SPAWN')
    t.regex(error.message, /first line/)
    await until(() => shared.stats().connections === 0)
  } finally {
    await own.remove()
  }
})

scene('arguments, environment and folder reach the child as they are', async (t, { start }) => {
  const args = ['a b', '$HOME', '"quoted"', "it's", 'ü 世界', '', '*', '\\', '-n']
  const endpoint = sh('printf "%s\\n" "$FOO" "$BAR" "$(pwd -P)" "$@"', { cwd: '/usr', env: { FOO: 'a = b' } }, args)
  t.deepEqual(await words(await start(endpoint)), ['a = b', '', '/usr', ...args])
})

scene(
  'a child that closes its stdin can still send: our sending fails, and its output is read to the end',
  async (t, here) => {
    // It goes on when the sleeper is ended, whether or not it waits for that already.
    const script = `sleep 1000 >/dev/null 2>&1 & exec 0<&-; echo $!; wait; seq 1 100000; exit 3`
    const connection = await here.start(sh(script))
    const sleeper = here.pid(await connection.receive())
    let refusal: unknown
    while (refusal === undefined) {
      try {
        connection.send('hello?')
        await turns()
      } catch (error) {
        refusal = error
      }
    }
    t.is((refusal as { code: unknown }).code, 'ERR_CLOSED')
    process.kill(sleeper, 'SIGTERM')
    const [said, end] = await untilRefused(connection)
    t.deepEqual([said.length, said.at(-1), end], [100_000, '100000', 'ERR_EXIT'])
    const { code, exitCode } = await connection.closed
    t.deepEqual([code, exitCode], ['ERR_EXIT', 3])
  },
)

scene('a child that closes its stdout and lives on is ended with its stdin', async (t, { start }) => {
  const connection = await start(sh('exec 1>&-; exec cat >/dev/null'))
  t.is(await connection.receive(), undefined)
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})

scene('half-open, a child that has closed its stdout can still receive', async (t, { start }) => {
  const connection = await start(sh('exec 1>&-; read word; [ "$word" = go ] && exit 5'), {
    allowHalfOpen: true,
  })
  t.is(await connection.receive(), undefined)
  connection.send('go')
  t.is((await connection.closed).exitCode, 5)
})

for (const closing of [false, true]) {
  const when = closing ? 'close()' : 'the exit'
  scene(`a grandchild that holds the pipes does not delay ${when}`, async (t, here) => {
    const script = `sleep 1000 & echo $!; ${closing ? 'read end' : 'exit 0'}; exit 0`
    const connection = await here.start(sh(script), { closeTimeoutMs: 20 })
    const grandchild = here.pid(await connection.receive())
    const closed = closing ? connection.close() : connection.closed
    t.deepEqual(await closed, { code: 'OK', exitCode: 0, signal: null })
    t.is(await connection.receive(), undefined)
    t.true(isRunning(grandchild))
  })
}

scene('a connect that is aborted at any turn leaves nothing behind', async (t, here) => {
  const clock = new ManualClock((ms) => ms === 2_004)
  const engine = await here.engine({}, clock)
  const transport = engine.transport(sh('exec cat'), LINES)
  await (await transport.connect()).close()
  const before = processResources().descriptors
  for (const way of ['ERR_ABORTED', 'ERR_TIMEOUT'] as const) {
    const ends: string[] = []
    // Turn by turn, until it has connected before several times: then every moment has had its turn.
    for (let turn = 0; ends.filter((end) => end === 'connected').length < 5; turn++) {
      const controller = new AbortController()
      const connecting = transport.connect({ signal: controller.signal, timeoutMs: 2_004 }).then(
        async (connection) => {
          connection.destroy()
          await connection.closed
          return 'connected'
        },
        (error: unknown) => (error as { code: string }).code,
      )
      await turns(turn)
      if (way === 'ERR_ABORTED') controller.abort()
      else clock.advance(2_004)
      ends.push(await connecting)
    }
    t.is(ends[0], way)
    t.true(ends.every((end) => end === way || end === 'connected'))
  }
  await until(() => engine.stats().connections === 0)
  await until(() => countChildren() === 0)
  await until(() => processResources().descriptors <= before)
  t.is(processResources().descriptors, before)
  const { open, byKind } = engine.stats().ledger
  t.true(byKind.children.opened > 10)
  t.is(byKind.children.released, byKind.children.opened)
  t.is(open, byKind.shards.open + byKind.descriptors.open + byKind.guardians.open)
})

scene('an engine that is closed at any turn of a connect leaves no child', async (t, here) => {
  for (const count of [0, 1, 2, 3, 5, 8, 13]) {
    const engine = await here.engine()
    const connecting = engine.transport(sh("trap '' TERM; exec sleep 1000", { killAfterMs: 5 })).connect()
    const settled = connecting.then(
      () => undefined,
      () => undefined,
    )
    await turns(count)
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
    t.is(countChildren(), 0)
    await settled
  }
})

scene('closing the engine ends children that ignore everything else', async (t, here) => {
  const engine = await here.engine()
  const connection = await here.start(sh("trap '' TERM; echo ready; exec sleep 1000", { killAfterMs: 5 }), {}, engine)
  t.is(String(await connection.receive()), 'ready')
  const { leaked, byKind } = await engine.close({ graceMs: 5 })
  t.deepEqual([leaked, byKind.children], [0, { opened: 1, released: 1 }])
  const { code, signal: by } = await connection.closed
  t.deepEqual([code, by], ['ERR_ENGINE_CLOSED', 'SIGKILL'])
})

for (const first of ['destroyed', 'ended'] as const) {
  scene(`closing the engine waits for a child whose connection has ${first} before`, async (t, here) => {
    const engine = await here.engine()
    const script = `trap '' TERM; echo ready; ${first === 'ended' ? 'exec 1>&-;' : ''} exec sleep 1000`
    const connection = await here.start(sh(script, { killAfterMs: 30 }), {}, engine)
    t.is(String(await connection.receive()), 'ready')
    const end = connection.receive().catch((error: unknown) => (error as TransportError).code)
    if (first === 'destroyed') connection.destroy()
    await until(() => engine.stats().connections === 0)
    t.is(countChildren(), 1)
    const { leaked, byKind } = await engine.close({ graceMs: 5 })
    t.is(leaked, 0, JSON.stringify(byKind))
    t.is(countChildren(), 0)
    t.is(await end, first === 'destroyed' ? 'ERR_ABORTED' : 'ERR_EXIT')
  })
}

scene('both directions stop while neither side reads, and go on later', async (t, here) => {
  const engine = await here.engine({ maxRingBytes: 32_768 })
  const connection = await here.start(
    sh('exec cat'),
    { framing: 'raw', maxPendingBytes: 64_000, maxFrameBytes: 8_000 },
    engine,
  )
  const other = await here.start(sh('exec cat'), {}, engine)
  const total = 8_000_000
  const hash = createHash('sha1')
  let sent = 0
  const sending = (async () => {
    while (sent < total) {
      const bytes = Buffer.alloc(8_000, String(sent))
      hash.update(bytes)
      sent += bytes.length
      if (!connection.send(bytes)) await connection.ready()
    }
    await connection.end()
  })()
  for (let before = -1; before !== sent;) {
    before = sent
    for (let i = 0; i < 100; i++) {
      other.send('ping')
      await other.receive()
    }
  }
  t.true(sent < total / 2, String(sent))
  const echo = await digestToEnd(connection)
  await sending
  t.is(echo, hash.digest('hex'))
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})

for (const fault of ['throw', 'exit', 'stuck'] satisfies Fault[]) {
  scene(`${fault}: a shard that dies takes its children with it, and the next one starts others`, async (t, here) => {
    const engine = await here.engine(faultyOptions(fault))
    const transport = engine.transport(sh('echo $$; exec cat', { killAfterMs: 5_000 }), LINES)
    const connection = await transport.connect()
    const pid = here.pid(await connection.receive())
    const bytesRead = (): number => engine.stats().shards[0]?.bytesRead ?? 0
    const before = bytesRead()
    const held = ['held', 'by', 'rings']
    for (const word of held) connection.send(word)
    // The host does not read them: what the shard has read stays in the ring.
    await until(() => bytesRead() - before >= held.join('\n').length + 1)
    await strike(engine, 0, fault)
    if (fault === 'stuck') connection.send('into the void')
    const said: string[] = []
    const over = await rejects(
      t,
      (async () => {
        for await (const frame of connection) said.push(String(frame))
      })(),
      'ERR_SHARD_LOST',
    )
    t.true(over.retryable)
    t.deepEqual(said, held)
    const { code, exitCode, signal: by } = await connection.closed
    t.is(code, 'ERR_SHARD_LOST')
    // It sees the end of its stdin and SIGTERM, whichever is first.
    t.true(exitCode === 0 || by === 'SIGTERM')
    t.false(isThere(pid))
    const next = await transport.connect()
    t.not(here.pid(await next.receive()), pid)
    next.send('again')
    t.is(String(await next.receive()), 'again')
    await next.close()
  })
}

scene('fifty children at once answer, each its own, and end', async (t, { start }) => {
  const connections = await Promise.all(Array.from({ length: 50 }, () => start(sh('exec cat'))))
  t.is(new Set(connections.map((connection) => connection.info.pid)).size, 50)
  t.is(countChildren(), 50)
  for (const [i, connection] of connections.entries()) connection.send(`to ${String(i)}`)
  const echoes = await Promise.all(connections.map((connection) => connection.receive()))
  t.deepEqual(
    echoes.map(String),
    connections.map((_, i) => `to ${String(i)}`),
  )
  const ends = await Promise.all(connections.map((connection) => connection.close()))
  t.true(ends.every(({ code }) => code === 'OK'))
})

scene('listen() on a child is refused, and nothing is sent after its end', async (t, { start }) => {
  await rejects(t, shared.transport(sh('true')).listen(), 'ERR_INVALID_ENDPOINT')
  const connection = await start(sh('true'))
  await connection.closed
  throws(t, () => connection.send('late'), 'ERR_CLOSED')
  t.true(os.tmpdir() === folder.path, 'the folder that is checked is the one that is used')
})
