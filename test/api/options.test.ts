/** Options: unknown ones and impossible values are refused by name, before anything is opened. */
import process from 'node:process'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine, type EngineOptions, type TransportOptions } from '../../api/index.js'
import { resolveEndpoint } from '../../api/endpoint.js'
import { parseEngineOptions } from '../../api/engine-options.js'
import { parseTransportOptions } from '../../api/transport-options.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import { turns } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 10_000

failOnWarnings()

let engine: Engine

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1 })
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close()).leaked, 0)
})

type Wrong = readonly (readonly [name: string, options: unknown])[]

const wrongEngineOptions: Wrong = [
  ['shard', { shard: 2 }],
  ['shards', { shards: 0 }],
  ['shards', { shards: 65 }],
  ['shards', { shards: 1.5 }],
  ['shards', { shards: NaN }],
  ['shards', { shards: '2' }],
  ['shards', { shards: null }],
  ['wake', { wake: 'fast' }],
  ['wake', { wake: {} }],
  ['wake', { wake: { spinMicros: -1 } }],
  ['wake', { wake: { spinMicros: 1_000_001 } }],
  ['wake', { wake: { spinMicros: 5, more: 1 } }],
  ['inlineWrites', { inlineWrites: 'always' }],
  ['inlineWrites', { inlineWrites: false }],
  ['inlineWriteBytes', { inlineWriteBytes: 63 }],
  ['inlineWriteBytes', { inlineWriteBytes: 65_537 }],
  ['inlineWriteBytes', { inlineWriteBytes: 100.5 }],
  ['initialRingBytes', { initialRingBytes: 1000 }],
  ['maxRingBytes', { maxRingBytes: 3_000_000 }],
  ['maxRingBytes', { initialRingBytes: 32_768, maxRingBytes: 8192 }],
  ['bootTimeoutMs', { bootTimeoutMs: -1 }],
  ['bootTimeoutMs', { bootTimeoutMs: Infinity }],
  ['workerEntry', { workerEntry: 7 }],
  ['onError', { onError: 'log' }],
  ['stuckTimeoutMs', { stuckTimeoutMs: 9 }],
  ['stuckTimeoutMs', { stuckTimeoutMs: 2 ** 31 }],
  ['shardHeapMb', { shardHeapMb: 15 }],
  ['shardHeapMb', { shardHeapMb: 65_537 }],
  ['shardHeapMb', { shardHeapMb: 100.5 }],
  ['restart', { restart: 3 }],
  ['restart', { restart: null }],
  ['restart', { restart: [] }],
  ['wake', { wake: [] }],
  ['shards', { shards: 2n }],
  ['shards', { shards: -0 }],
  ['workerEntry', { workerEntry: '' }],
  ['workerEntry', { workerEntry: new URL('http://localhost/x.js') }],
  ['workerEntry', { workerEntry: 'file://elsewhere/x.js' }],
  ['restart.often', { restart: { often: 3 } }],
  ['restart.max', { restart: { max: -1 } }],
  ['restart.max', { restart: { max: 1_001 } }],
  ['restart.max', { restart: { max: 1.5 } }],
  ['restart.windowMs', { restart: { windowMs: -1 } }],
  ['restart.windowMs', { restart: { windowMs: '60000' } }],
  ['restart.initialDelayMs', { restart: { initialDelayMs: NaN } }],
  ['restart.maxDelayMs', { restart: { maxDelayMs: Infinity } }],
  ['restart.maxDelayMs', { restart: { initialDelayMs: 100, maxDelayMs: 99 } }],
]

const wrongTransportOptions: Wrong = [
  ['maxFrameByte', { maxFrameByte: 5 }],
  ['framing', { framing: 'morse' }],
  ['delimiter', { delimiter: '\f' }],
  ['delimiter', { framing: 'nul', delimiter: '\f' }],
  ['delimiter', { framing: 'line', delimiter: '' }],
  ['delimiter', { framing: 'line', delimiter: '\r\n' }],
  ['delimiter', { framing: 'line', delimiter: '\x80' }],
  ['delimiter', { framing: 'line', delimiter: 12 }],
  ['maxFrameBytes', { maxFrameBytes: 0 }],
  ['maxFrameBytes', { maxFrameBytes: 2 ** 30 + 1 }],
  ['maxFrameBytes', { maxFrameBytes: '1000' }],
  ['maxPendingBytes', { maxPendingBytes: 1000 }],
  ['maxPendingBytes', { maxFrameBytes: 5000, maxPendingBytes: 4999 }],
  ['connectTimeoutMs', { connectTimeoutMs: -1 }],
  ['closeTimeoutMs', { closeTimeoutMs: NaN }],
  ['closeTimeoutMs', { closeTimeoutMs: 2 ** 31 }],
  ['allowHalfOpen', { allowHalfOpen: 'yes' }],
  ['frameTimeoutMs', { frameTimeoutMs: 0 }],
  ['frameTimeoutMs', { frameTimeoutMs: 2 ** 31 }],
  ['frameTimeoutMs', { frameTimeoutMs: null }],
  ['inlineWrites', { inlineWrites: 'always' }],
  ['inlineWrites', { inlineWrites: null }],
  ['inlineWriteBytes', { inlineWriteBytes: 63 }],
  ['inlineWriteBytes', { inlineWriteBytes: 65_537 }],
  ['inlineWriteBytes', { inlineWriteBytes: '4096' }],
  ['memory', { memory: 'shard' }],
  ['memory', { memory: true }],
  ['memory', { memory: 'shared' }],
  ['maxConnections', { maxConnections: 0 }],
  ['maxConnections', { maxConnections: 1_048_577 }],
  ['maxConnections', { maxConnections: 1.5 }],
  ['maxQueuedConnections', { maxQueuedConnections: 15 }],
  ['maxQueuedConnections', { maxQueuedConnections: 65_536 }],
  ['maxQueuedConnections', { maxQueuedConnections: '8' }],
  ['backlog', { backlog: 0 }],
  ['backlog', { backlog: 65_536 }],
  ['mode', { mode: 0o1777 }],
  ['mode', { mode: -1 }],
  ['mode', { mode: '600' }],
]

function names(t: ExecutionContext, message: string, name: string): void {
  t.regex(message, new RegExp(`\\b${name}\\b`), 'the message names the option')
}

for (const [name, options] of wrongEngineOptions) {
  test(`createEngine(${inspect(options)}) is refused by name`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const error = await rejects(t, createEngine(options as EngineOptions), 'ERR_INVALID_OPTION')
    names(t, error.message, name)
    t.false(error.retryable)
  })
}

for (const [name, options] of wrongTransportOptions) {
  test(`transport(${inspect(options)}) is refused by name`, (t) => {
    const error = throws(t, () => engine.transport('memory:x', options as TransportOptions), 'ERR_INVALID_OPTION')
    names(t, error.message, name)
  })
}

test('options that are not an object are refused', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const wrong of [7, 'shards', true, null, []]) {
    await rejects(t, createEngine(wrong as unknown as EngineOptions), 'ERR_INVALID_OPTION')
    throws(t, () => engine.transport('memory:x', wrong as unknown as TransportOptions), 'ERR_INVALID_OPTION')
  }
})

test('the error on a misspelt option suggests the right name', async (t) => {
  t.timeout(WATCHDOG_MS)
  const typos: readonly (readonly [given: object, message: string])[] = [
    [{ shard: 2 }, 'unknown option "shard"; did you mean "shards"?'],
    [{ SHARDS: 2 }, 'unknown option "SHARDS"; did you mean "shards"?'],
    [{ bootTimeout: 2 }, 'unknown option "bootTimeout"; did you mean "bootTimeoutMs"?'],
    [{ restart: { mx: 2 } }, 'unknown option "restart.mx"; did you mean "restart.max"?'],
    [{ shardsUp: 2 }, 'unknown option "shardsUp"; did you mean "shards"?'],
    [{ colour: 'red' }, 'unknown option "colour".'],
    [{ inlineWrites: 'nver' }, 'expected "auto" or "never", got a string; did you mean "never"?'],
    [{ wake: 'addaptive' }, 'got a string; did you mean "adaptive"?'],
    [{ ['x'.repeat(10_000)]: 1 }, `unknown option "${'x'.repeat(64)}…".`],
  ]
  for (const [given, message] of typos) {
    const error = await rejects(t, createEngine(given), 'ERR_INVALID_OPTION')
    t.true(error.message.includes(message), error.message)
  }
  const timed = await rejects(t, engine.transport('memory:x').connect({ timeout: 5 } as object), 'ERR_INVALID_OPTION')
  t.true(timed.message.includes('unknown option "timeout"; did you mean "timeoutMs"?'), timed.message)
})

test('one error lists everything that is wrong: what was expected, its unit, and the kind of value given', async (t) => {
  t.timeout(WATCHDOG_MS)
  const options = {
    shard: 2,
    shards: 0,
    wake: 'hunter2',
    shardHeapMb: 5n,
    bootTimeoutMs: '10s',
    restart: { max: 1.5, often: true, initialDelayMs: 100, maxDelayMs: 99 },
    initialRingBytes: 32_768,
    maxRingBytes: 8192,
  }
  const wrong: unknown = options
  const { message } = await rejects(t, createEngine(wrong as EngineOptions), 'ERR_INVALID_OPTION')
  t.deepEqual(message.split('\n'), [
    'createEngine(): 9 problems',
    '- unknown option "shard"; did you mean "shards"?',
    '- shards: expected an integer from 1 to 64, got 0',
    '- wake: expected "adaptive", "park" or an object, got a string',
    '- bootTimeoutMs: expected a number from 0 to 2147483647 milliseconds, got a string',
    '- shardHeapMb: expected an integer from 16 to 65536 MiB, got a bigint',
    '- unknown option "restart.often"',
    '- restart.max: expected an integer from 0 to 1000, got 1.5',
    '- restart.maxDelayMs: it must be at least restart.initialDelayMs',
    '- maxRingBytes: it must be at least initialRingBytes',
    'See docs/options.md for names, units and ranges.',
  ])
})

test('connect() and close() refuse options that they do not know', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport(`memory:${randomName()}`)
  for (const [name, options] of [
    ['timeout', { timeout: 5 }],
    ['timeoutMs', { timeoutMs: -1 }],
    ['timeoutMs', { timeoutMs: '5' }],
    ['signal', { signal: {} }],
  ] as const) {
    const error = await rejects(t, transport.connect(options as object), 'ERR_INVALID_OPTION')
    names(t, error.message, name)
  }
  for (const [name, options] of [
    ['grace', { grace: 5 }],
    ['graceMs', { graceMs: -1 }],
  ] as const) {
    const closing = (async () => engine.close(options as object))()
    names(t, (await rejects(t, closing, 'ERR_INVALID_OPTION')).message, name)
  }
  t.is(engine.stats().shards[0]?.state, 'up', 'a refused close() closes nothing')
})

test('receive(), ready(), end(), accept(), listen() and subscribe() refuse options that they do not know, and times that no timer can keep', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport(`memory:${randomName()}`)
  const looped = engine.transport(`memory:${randomName()}`)
  const listener = await transport.listen(() => undefined)
  const loop = await looped.listen()
  const connection = await transport.connect()
  try {
    const wrong = [
      ['timeout', { timeout: 5 }],
      ['timeoutMs', { timeoutMs: -1 }],
      ['timeoutMs', { timeoutMs: 2 ** 31 }],
      ['timeoutMs', { timeoutMs: '5' }],
      ['signal', { signal: {} }],
    ] as const
    for (const [name, options] of wrong) {
      for (const call of [
        async () => connection.receive(options as object),
        async () => connection.ready(options as object),
        async () => connection.end(options as object),
        async () => loop.accept(options as object),
        async () => transport.listen(undefined, options as object),
      ]) {
        // If it were accepted it would wait for a frame.
        const outcome = Promise.race([call(), turns(3)])
        names(t, (await rejects(t, outcome, 'ERR_INVALID_OPTION')).message, name)
      }
    }
    t.true(connection.send('a refused end() ends nothing'))
    await rejects(t, transport.listen('handler' as unknown as () => void), 'ERR_INVALID_OPTION')
    const subscribe = (): unknown => connection.subscribe(() => undefined, { borow: true } as object)
    names(t, throws(t, subscribe, 'ERR_INVALID_OPTION').message, 'borow')
  } finally {
    connection.destroy()
    await connection.closed
    await listener.close()
    await loop.close()
  }
})

test('an object that throws when it is read, or has no values under its keys, is refused', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport(`memory:${randomName()}`)
  const revoked = (target: object): unknown => {
    const { proxy, revoke } = Proxy.revocable(target, {})
    revoke()
    return proxy
  }
  const throwing = {
    get timeoutMs() {
      throw new Error('a getter')
    },
  }
  const wrong: readonly (readonly [what: string, options: unknown])[] = [
    ['timeoutMs: reading it failed', throwing],
    ['reading it failed', revoked({})],
    ['options', revoked([])],
    ['got an array', []],
    ['got null', null],
    ['got a Map', new Map([['timeoutMs', 5]])],
    ['got a Set', new Set()],
    ['got a Date', new Date()],
    ['got something iterable', new URLSearchParams()],
  ]
  for (const [what, options] of wrong) {
    const given = options as object
    const taking = [async () => transport.listen(() => undefined, given), async () => transport.connect(given)]
    // These have no timeoutMs, and do not read it.
    const others = [
      () =>
        new Promise((resolve) => {
          resolve(transport.pool(given))
        }),
      () =>
        new Promise((resolve) => {
          resolve(engine.transport('memory:x', given))
        }),
      async () => createEngine(given),
    ]
    for (const call of options === throwing ? taking : [...taking, ...others]) {
      const { message } = await rejects(t, call(), 'ERR_INVALID_OPTION')
      t.true(message.includes(what), message)
    }
  }
})

test('listen() and connect() read each of their options once', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport(`memory:${randomName()}`)
  const reads: string[] = []
  const { signal } = new AbortController()
  const counted = {
    get timeoutMs() {
      reads.push('timeoutMs')
      return 10_000
    },
    get signal() {
      reads.push('signal')
      return signal
    },
  }
  const listener = await transport.listen(() => undefined, {
    get onError() {
      reads.push('onError')
      return () => undefined
    },
    get signal() {
      reads.push('signal')
      return signal
    },
  })
  try {
    t.deepEqual(reads.sort(), ['onError', 'signal'])
    reads.length = 0
    const connection = await transport.connect(counted)
    t.deepEqual(reads.sort(), ['signal', 'timeoutMs'])
    connection.destroy()
    await connection.closed
  } finally {
    await listener.close()
  }
})

test('an instance of a class and an object without a prototype are accepted', async (t) => {
  t.timeout(WATCHDOG_MS)
  class Patience {
    timeoutMs = 10_000
  }
  const transport = engine.transport(`memory:${randomName()}`)
  for (const options of [new Patience(), Object.assign(Object.create(null) as object, { timeoutMs: 10_000 })])
    await (await transport.listen(() => undefined, options)).close()
  if (process.platform === 'win32') return
  const env = Object.assign(Object.create({ A: 'a' }) as Record<string, string>, { B: 'b' })
  for (const given of [env, process.env])
    t.is(engine.transport({ kind: 'stdio', command: 'x', env: given }).endpoint, 'stdio:x')
})

test('the limits themselves are allowed, and undefined means the default', async (t) => {
  t.timeout(WATCHDOG_MS)
  const edges: TransportOptions[] = [
    { maxFrameBytes: 1, maxPendingBytes: 1 },
    { maxFrameBytes: 2 ** 30 },
    { maxFrameBytes: 50_000_000 },
    { connectTimeoutMs: 0, closeTimeoutMs: 2 ** 31 - 1, backlog: 65_535, mode: 0 },
    { framing: 'length', allowHalfOpen: true, backlog: 1, mode: 0o777 },
    { frameTimeoutMs: 1, maxConnections: 1, maxQueuedConnections: 16 },
    { frameTimeoutMs: 2 ** 31 - 1, maxConnections: 1_048_576, maxQueuedConnections: 65_535 },
    { inlineWrites: 'never', inlineWriteBytes: 64 },
    { inlineWrites: 'auto', inlineWriteBytes: 65_536 },
    { inlineWrites: undefined, inlineWriteBytes: undefined },
    { memory: 'socket' },
    { memory: undefined },
    { framing: undefined, maxFrameBytes: undefined, maxPendingBytes: undefined, mode: undefined },
  ]
  for (const options of edges) t.notThrows(() => engine.transport('memory:x', options))
  const folder = await makeTemporaryFolder()
  const other = await createEngine({
    shards: undefined,
    wake: { spinMicros: 0 },
    inlineWrites: 'never',
    inlineWriteBytes: 64,
    initialRingBytes: 4096,
    maxRingBytes: 4096,
    workerEntry: undefined,
    stuckTimeoutMs: 2 ** 31 - 1,
    shardHeapMb: 16,
    restart: { max: 0, windowMs: 0, initialDelayMs: 0, maxDelayMs: 0 },
  })
  try {
    const transport = other.transport(folder.endpoint())
    const listener = await transport.listen()
    const dialled = await transport.connect({ signal: undefined, timeoutMs: undefined })
    const accepted = (await listener[Symbol.asyncIterator]().next()).value
    const frame = Buffer.alloc(100_000, 7)
    dialled.send(frame)
    t.true((await accepted?.receive())?.equals(frame))
  } finally {
    t.is((await other.close()).leaked, 0)
    await folder.remove()
  }
})

test("a transport's inline writes are its engine's, each option unless the transport has its own", (t) => {
  const inline = (engineOptions: EngineOptions, options: TransportOptions) => {
    const { inlineWrites, inlineWriteBytes } = parseTransportOptions(
      options,
      parseEngineOptions(engineOptions),
      resolveEndpoint('memory:x'),
    ).connection
    return { inlineWrites, inlineWriteBytes }
  }
  t.deepEqual(inline({}, {}), { inlineWrites: 'auto', inlineWriteBytes: 4096 })
  const engines = { inlineWrites: 'never', inlineWriteBytes: 100 } as const
  t.deepEqual(inline(engines, {}), engines)
  t.deepEqual(inline(engines, { inlineWrites: undefined, inlineWriteBytes: undefined }), engines)
  t.deepEqual(inline(engines, { inlineWrites: 'auto' }), { inlineWrites: 'auto', inlineWriteBytes: 100 })
  t.deepEqual(inline(engines, { inlineWriteBytes: 200 }), { inlineWrites: 'never', inlineWriteBytes: 200 })
})

test('a worker that cannot be loaded fails the boot with its cause, and nothing is left', async (t) => {
  t.timeout(WATCHDOG_MS)
  const error = await rejects(
    t,
    createEngine({ shards: 2, workerEntry: new URL('./no-such-module.js', import.meta.url) }),
    'ERR_SHARD_BOOT',
  )
  t.truthy(error.cause)
  const folder = await makeTemporaryFolder()
  await folder.remove()
  await rejects(t, createEngine({ shards: 1, workerEntry: `${folder.path}/missing.js` }), 'ERR_SHARD_BOOT')
})

for (const wake of ['adaptive', 'park', { spinMicros: 50 }] as const) {
  test(`a round trip works with wake: ${inspect(wake)}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const other = await createEngine({ shards: 1, wake })
    try {
      const transport = other.transport(folder.endpoint())
      await transport.listen((connection) => {
        connection.subscribe((frame) => connection.send(frame), { borrow: true })
      })
      const connection = await transport.connect()
      for (let i = 0; i < 200; i++) {
        connection.send(String(i))
        t.is(String(await connection.receive()), String(i))
      }
    } finally {
      t.is((await other.close()).leaked, 0)
      await folder.remove()
    }
  })
}
