/** RPC libraries over connections, each with the real one at both ends: the SDK of MCP, birpc, Comlink. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import test, { type ExecutionContext } from 'ava'
import { createBirpc } from 'birpc'
import * as Comlink from 'comlink'
import { toBirpcChannel, toComlinkEndpoint, toMcpTransport } from '../../api/adapters/index.js'
import { createEngine, TransportError, type Connection, type Engine, type TransportOptions } from '../../api/index.js'
import { FailureBook } from '../helpers/failure-book.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000

failOnWarnings()

const failures = new FailureBook()
const unhandled: unknown[] = []
const remember = (reason: unknown): void => {
  unhandled.push(reason)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}

let folder: TemporaryFolder
/** As two processes have them. */
let one: Engine
let other: Engine

test.serial.before('two engines start', async () => {
  process.on('unhandledRejection', remember)
  folder = await makeTemporaryFolder()
  const options = { shards: 1, maxRingBytes: 32_768, onError: failures.onError } as const
  ;[one, other] = await Promise.all([createEngine(options), createEngine(options)])
})

test.serial.after.always('everything was released', async (t) => {
  const ledgers = await Promise.all([one.close(), other.close()])
  await folder.remove()
  process.off('unhandledRejection', remember)
  t.deepEqual(
    ledgers.map(({ leaked }) => leaked),
    [0, 0],
    JSON.stringify(ledgers),
  )
  t.deepEqual(unhandled, [])
})

interface Pair {
  readonly near: Connection
  readonly far: Connection
}

function pair(
  title: string,
  body: (t: ExecutionContext, ends: Pair) => Promise<void>,
  options: TransportOptions = {},
): void {
  test.serial(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const endpoint = folder.endpoint()
    const listener = await other.transport(endpoint, options).listen()
    const [near, far] = await Promise.all([one.transport(endpoint, options).connect(), listener.accept()])
    if (far === undefined) throw new Error('the listener closed')
    try {
      await body(t, { near, far })
    } finally {
      near.destroy()
      far.destroy()
      await Promise.all([near.closed, far.closed, listener.close()])
    }
    t.deepEqual(failures.takeTold(), [])
  })
}

/** Fills the way to a peer that reads nothing. */
const SMALL_QUEUE = { maxFrameBytes: 65_536, maxPendingBytes: 65_536 } as const

/** Calls until a call fails; it adds what becomes of each. Those that go on meanwhile wait for room, or an answer. */
async function untilRefused(outcomes: Promise<unknown>[], call: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    const outcome = call().then(() => 'done', codeOf)
    outcomes.push(outcome)
    const result = await Promise.race([outcome, turns(3)])
    if (result !== undefined && result !== 'done') return result
  }
}

const LINE = { framing: 'line' } as const
/** With a message around it, it is deeper than any adapter takes. */
const TOO_DEEP = `${'['.repeat(1_000)}${']'.repeat(1_000)}`
const LARGE_TEXT = 'x'.repeat(60_000)

function makeMcpServer(work: () => Promise<string> | string): McpServer {
  const server = new McpServer({ name: 'test', version: '1.0.0' })
  server.registerTool('work', { description: 'Works.' }, async () => ({
    content: [{ type: 'text', text: await work() }],
  }))
  return server
}

const MCP_CLIENT = { name: 'test', version: '1.0.0' }

pair(
  'an MCP client and server talk over a socket, and both learn of the end',
  async (t, { near, far }) => {
    const server = makeMcpServer(() => 'done\nin two lines')
    const client = new Client(MCP_CLIENT)
    const closed = [server.server, client].map(
      (end) =>
        new Promise<void>((resolve) => {
          end.onclose = resolve
        }),
    )
    await Promise.all([server.connect(toMcpTransport(far)), client.connect(toMcpTransport(near))])
    const { tools } = await client.listTools()
    t.deepEqual(
      tools.map(({ name }) => name),
      ['work'],
    )
    const { content } = await client.callTool({ name: 'work' })
    t.deepEqual(content, [{ type: 'text', text: 'done\nin two lines' }])
    await client.close()
    await Promise.all(closed)
    t.deepEqual([(await near.closed).code, (await far.closed).code], ['OK', 'OK'])
  },
  LINE,
)

pair(
  'requests of MCP that have no answer fail when the connection breaks, and so do later ones',
  async (t, { near, far }) => {
    const asked = signal()
    const server = makeMcpServer(() => {
      asked.resolve()
      return new Promise(() => undefined)
    })
    const client = new Client(MCP_CLIENT)
    const errors: Error[] = []
    client.onerror = (error) => errors.push(error)
    await Promise.all([server.connect(toMcpTransport(far)), client.connect(toMcpTransport(near))])
    const calling = client.callTool({ name: 'work' })
    await asked.promise
    near.destroy(new TransportError('ERR_RESET', 'broken'))
    t.regex((await t.throwsAsync<Error>(calling)).message, /Connection closed/)
    await t.throwsAsync(client.callTool({ name: 'work' }))
    t.deepEqual(errors.map(codeOf), ['ERR_RESET'])
  },
  LINE,
)

pair(
  'what is no message of MCP is told and skipped, and the last messages come before the end',
  async (t, { near, far }) => {
    const transport = toMcpTransport(near)
    const log: string[] = []
    const closed = signal()
    transport.onmessage = (message) => log.push(JSON.stringify(message))
    transport.onerror = (error) => log.push(String(codeOf(error)))
    transport.onclose = closed.resolve
    const deep = `{"jsonrpc":"2.0","method":"deep","params":${TOO_DEEP}}`
    const one = '{"jsonrpc":"2.0","method":"one"}'
    for (const text of ['{"jsonrpc":', '[]', '{"jsonrpc":"1.0"}', deep, one]) far.send(text)
    await far.end()
    await transport.start()
    await closed.promise
    t.deepEqual(log, [...Array<string>(4).fill('ERR_INVALID_MESSAGE'), one])
  },
  LINE,
)

pair('an MCP transport over a connection that has closed says so when it is started', async (t, { near }) => {
  near.destroy()
  await near.closed
  const closing = signal()
  const client = new Client(MCP_CLIENT)
  client.onclose = closing.resolve
  await t.throwsAsync(client.connect(toMcpTransport(near)))
  await closing.promise
  const unused = toMcpTransport(near)
  const told = signal()
  unused.onclose = told.resolve
  await unused.close()
  await told.promise
})

pair(
  'sending over MCP waits for room, and an answer that finds none ends the connection',
  async (t, { near, far }) => {
    const transport = toMcpTransport(near)
    const request = { jsonrpc: '2.0', method: LARGE_TEXT } as const
    await t.throwsAsync(transport.send({ ...request, id: 1n } as unknown as typeof request), {
      code: 'ERR_INVALID_FRAME',
    })
    const outcomes: Promise<unknown>[] = []
    const fill = (message: typeof request) => untilRefused(outcomes, () => transport.send(message))
    t.is(await fill(request), 'ERR_BACKPRESSURE')
    const stop = far.subscribe(() => undefined)
    const failed = (await Promise.all(outcomes)).filter((outcome) => outcome !== 'done')
    t.deepEqual(failed, ['ERR_BACKPRESSURE'])
    stop()
    const answer = { jsonrpc: '2.0', id: 1, result: LARGE_TEXT } as const
    t.is(await fill(answer as unknown as typeof request), 'ERR_BACKPRESSURE')
    t.is((await near.closed).code, 'ERR_BACKPRESSURE')
  },
  { ...LINE, ...SMALL_QUEUE },
)

const onPosix = process.platform === 'win32' ? test.skip : test.serial

onPosix("an MCP client talks to a child that runs the SDK's own stdio transport", async (t) => {
  t.timeout(WATCHDOG_MS)
  const child = fileURLToPath(new URL('../fixtures/mcp-server.js', import.meta.url))
  const transport = one.transport({ kind: 'stdio', command: process.execPath, args: [child] }, LINE)
  const connection = await transport.connect()
  const client = new Client(MCP_CLIENT)
  await client.connect(toMcpTransport(connection))
  const { content } = await client.callTool({ name: 'uname' })
  t.deepEqual(content, [{ type: 'text', text: 'a fixture\nof two lines' }])
  await client.close()
  t.is((await connection.closed).exitCode, 0)
})

interface Sums {
  add(a: number, b: number): number
  fail(): void
  wait(): Promise<void>
  large(): string
  big(): bigint
  nothing(): void
}

function makeSums(asked: () => void = () => undefined): Sums {
  return {
    add: (a, b) => a + b,
    fail: () => {
      throw Object.assign(new RangeError('too far'), { code: 'E_FAR' })
    },
    wait: () => {
      asked()
      return new Promise(() => undefined)
    },
    large: () => LARGE_TEXT,
    big: () => 1n,
    nothing: () => undefined,
  }
}

interface Names {
  name(): string
}

pair('functions of birpc are called both ways, and errors keep name, message and code', async (t, { near, far }) => {
  const there = toBirpcChannel(far)
  const here = toBirpcChannel(near)
  const server = there.attach(createBirpc<Names, Sums>(makeSums(), there))
  const client = here.attach(createBirpc<Sums, Names>({ name: () => 'client' }, here))
  t.is(await client.add(1, 2), 3)
  await client.nothing()
  t.is(await server.name(), 'client')
  const error = await t.throwsAsync<NodeJS.ErrnoException>(client.fail())
  t.deepEqual([error.name, error.message, error.code], ['RangeError', 'too far', 'E_FAR'])
  await t.throwsAsync(client.$call('missing' as 'add', 1, 2), { message: /not found/ })
  // A result that JSON does not take is the call's failure.
  await t.throwsAsync(client.big(), { code: 'ERR_INVALID_FRAME' })
  await t.throwsAsync(client.add(1n as unknown as number, 2), { code: 'ERR_INVALID_FRAME' })
  t.is(await client.add(2, 2), 4)
})

pair('calls of birpc without an answer reject when the connection ends', async (t, { near, far }) => {
  const asked = signal()
  const there = toBirpcChannel(far)
  const here = toBirpcChannel(near)
  there.attach(createBirpc<Names, Sums>(makeSums(asked.resolve), there))
  const client = here.attach(createBirpc<Sums>({}, here))
  const calling = client.wait()
  await asked.promise
  far.destroy()
  const error = await t.throwsAsync<TransportError>(calling)
  t.is(error.code, 'ERR_CLOSED')
  await until(() => client.$closed)
  await t.throwsAsync(client.add(1, 2))
})

pair(
  'calls of birpc wait for room, and fail one by one when the connection ends meanwhile',
  async (t, { near }) => {
    const here = toBirpcChannel(near)
    const client = here.attach(createBirpc<{ take(text: string): void }>({}, here))
    const outcomes: Promise<unknown>[] = []
    await untilRefused(outcomes, () => client.take(LARGE_TEXT))
    near.destroy()
    const codes = new Set(await Promise.all(outcomes))
    t.true(codes.delete('ERR_BACKPRESSURE'))
    t.true(codes.size > 0)
    t.false(codes.has('done'))
  },
  SMALL_QUEUE,
)

for (const [what, frame] of [
  ['no JSON', '{"t":'],
  ['no message', '{"t":"q","m":1}'],
  ['too deep', `{"t":"q","m":"add","a":${TOO_DEEP}}`],
] as const) {
  pair(`a frame that is ${what} of birpc ends the connection`, async (t, { near, far }) => {
    const here = toBirpcChannel(near)
    const client = here.attach(createBirpc<Sums>({}, here))
    const calling = client.wait()
    far.send(frame)
    await t.throwsAsync(calling, { code: 'ERR_CLOSED' })
    t.is((await near.closed).code, 'ERR_INVALID_MESSAGE')
    here.off()
  })
}

pair('an option of birpc that throws is a failed handler', async (t, { near, far }) => {
  const there = toBirpcChannel(far)
  const resolver = (): never => {
    throw new Error('no resolver')
  }
  createBirpc({}, { ...there, resolver })
  near.send('{"t":"q","i":"1","m":"any","a":[]}')
  t.is((await far.closed).code, 'ERR_HANDLER')
  t.deepEqual(failures.takeTold(), ['subscriber: no resolver'])
})

class Counter {
  count = 0
  increment(): number {
    return ++this.count
  }
}

interface Api {
  counter: number
  add(a: number, b: number): number
  fail(): void
  wait(): Promise<void>
  echo(value: unknown): unknown
  callBack(listener: (text: string) => Promise<string>): Promise<string>
  pass(outer: (inner: (text: string) => string) => Promise<string>): Promise<string>
  keep(listener: (text: string) => Promise<string>): void
  unsendable(): unknown
  makeCounter(): Counter & Comlink.ProxyMarked
}

/** What nobody holds is released. */
const kept: Comlink.Remote<(text: string) => Promise<string>>[] = []

function makeApi(asked: () => void = () => undefined): Api {
  return {
    counter: 1,
    ...makeSums(asked),
    echo: (value) => value,
    callBack: (listener) => listener('hello'),
    pass: (outer) => outer(Comlink.proxy((text: string) => `inner ${text}`)),
    keep: (listener) => {
      kept.push(listener as unknown as (typeof kept)[0])
    },
    unsendable: () => () => undefined,
    makeCounter: () => Comlink.proxy(new Counter()),
  }
}

function wrapped({ near, far }: Pair, asked?: () => void): Comlink.Remote<Api> {
  Comlink.expose(makeApi(asked), toComlinkEndpoint(far))
  return Comlink.wrap<Api>(toComlinkEndpoint(near))
}

pair('an object exposed by Comlink is used through a connection as through a worker', async (t, ends) => {
  const remote = wrapped(ends)
  t.is(await remote.add(1, 2), 3)
  t.is(await remote.counter, 1)
  Object.assign(remote, { counter: 5 })
  t.is(await remote.counter, 5)
  const value = { date: new Date(0), map: new Map([[1, new Uint8Array([1, 2])]]), missing: undefined }
  t.deepEqual(await remote.echo(value), value)
  const error = await t.throwsAsync<Error>(remote.fail())
  t.deepEqual([error.name, error.message], ['RangeError', 'too far'])
  await t.throwsAsync(remote.unsendable(), { message: /Unserializable/ })
  await t.throwsAsync(
    remote.echo(() => 1),
    { code: 'ERR_INVALID_FRAME' },
  )
  t.is(await remote.add(2, 2), 4)
})

pair('proxies of Comlink cross in arguments and results, one in another, and are released', async (t, ends) => {
  const remote = wrapped(ends)
  const heard: string[] = []
  const listener = Comlink.proxy((text: string) => {
    heard.push(text)
    return Promise.resolve(`${text} back`)
  })
  t.is(await remote.callBack(listener), 'hello back')
  t.deepEqual(heard, ['hello'])
  const outer = Comlink.proxy(
    async (inner: (text: string) => string) => `outer ${await Promise.resolve(inner('text'))}`,
  )
  t.is(await remote.pass(outer as (inner: (text: string) => string) => Promise<string>), 'outer inner text')
  const counter = await remote.makeCounter()
  t.is(await counter.increment(), 1)
  t.is(await counter.increment(), 2)
  counter[Comlink.releaseProxy]()
  t.is(await remote.add(1, 1), 2)
})

pair('what can only be transferred is refused', async (t, ends) => {
  const remote = wrapped(ends)
  const bytes = new Uint8Array(8)
  await t.throwsAsync(remote.echo(Comlink.transfer(bytes, [bytes.buffer])), { code: 'ERR_INVALID_FRAME' })
  await t.throwsAsync(remote[Comlink.createEndpoint](), { message: /Unserializable/ })
  t.deepEqual(await remote.echo(new Uint8Array(8)), bytes)
})

pair('calls of Comlink that have no answer reject when the connection ends', async (t, ends) => {
  const asked = signal()
  const remote = wrapped(ends, asked.resolve)
  const calling = remote.wait()
  await remote.keep(Comlink.proxy(() => new Promise<string>(() => undefined)))
  await asked.promise
  const [listener] = kept
  if (listener === undefined) throw new Error('nothing was kept')
  const calledBack = listener('text')
  const counter = await remote.makeCounter()
  ends.near.destroy()
  const [error] = await Promise.all([
    t.throwsAsync<NodeJS.ErrnoException>(calling),
    t.throwsAsync(calledBack, { code: 'ERR_CLOSED' }),
  ])
  t.deepEqual([error.name, error.code], ['TransportError', 'ERR_CLOSED'])
  await t.throwsAsync(remote.add(1, 2), { code: 'ERR_CLOSED' })
  await t.throwsAsync(counter.increment(), { code: 'ERR_CLOSED' })
  await t.throwsAsync(listener('again'), { code: 'ERR_CLOSED' })
  // Their promises are dropped by Comlink: they must not reject.
  Object.assign(remote, { counter: 9 })
  counter[Comlink.releaseProxy]()
  remote[Comlink.releaseProxy]()
  await turns(5)
})

pair('an answer of Comlink that comes after the end is dropped', async (t, { near, far }) => {
  const asked = signal()
  const going = signal()
  Comlink.expose(
    {
      slow: () => {
        asked.resolve()
        return going.promise
      },
    },
    toComlinkEndpoint(far),
  )
  const remote = Comlink.wrap<{ slow(): Promise<void> }>(toComlinkEndpoint(near))
  const calling = remote.slow()
  await asked.promise
  near.destroy()
  await t.throwsAsync(calling, { code: 'ERR_CLOSED' })
  await far.closed
  going.resolve()
  await turns(5)
})

pair('with JSON as the codec the frames are JSON', async (t, { near, far }) => {
  const endpoint = toComlinkEndpoint(near, { codec: 'json' })
  const remote = Comlink.wrap<Api>(endpoint)
  const calling = remote.add(1, 2)
  const [, message] = JSON.parse(String(await far.receive())) as [number, { readonly id: string }]
  far.send(JSON.stringify([0, { id: message.id, type: 'RAW', value: 3 }]))
  t.is(await calling, 3)
})

for (const [what, frame] of [
  ['no message', 'text'],
  ['JSON that is no message', '[0,1]'],
  ['a message that is too deep', `[0,{"id":"1","type":"RAW","value":${TOO_DEEP}}]`],
  ['a proxy that cannot be', '[0,{"type":"HANDLER","name":"proxy","value":-1}]'],
] as const) {
  pair(`${what} in place of Comlink's ends the connection`, async (t, { near, far }) => {
    const remote = Comlink.wrap<Api>(toComlinkEndpoint(near, { codec: 'json' }))
    const calling = remote.add(1, 2)
    far.send(frame)
    await t.throwsAsync(calling, { code: 'ERR_CLOSED' })
    t.is((await near.closed).code, 'ERR_INVALID_MESSAGE')
  })
}

pair('what V8 has not written in place of a message of Comlink ends the connection', async (t, { near, far }) => {
  const remote = Comlink.wrap<Api>(toComlinkEndpoint(near))
  const calling = remote.add(1, 2)
  far.send('text')
  await t.throwsAsync(calling, { code: 'ERR_CLOSED' })
  t.is((await near.closed).code, 'ERR_INVALID_MESSAGE')
})

pair('proxies of Comlink are bounded', async (t, ends) => {
  const remote = wrapped(ends)
  const listeners = Array.from({ length: 1_024 }, () => Comlink.proxy(() => Promise.resolve('')))
  await Promise.all(listeners.map((listener) => remote.keep(listener)))
  await t.throwsAsync(remote.keep(Comlink.proxy(() => Promise.resolve(''))), { code: 'ERR_BACKPRESSURE' })
  t.is(await remote.add(1, 2), 3)
})

test.serial('options of an endpoint for Comlink are checked', (t) => {
  const connection = {} as unknown as Connection
  t.throws(() => toComlinkEndpoint(connection, { codec: 'xml' as 'json' }), { code: 'ERR_INVALID_OPTION' })
})
