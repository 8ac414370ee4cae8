/** Invalid values: whatever a call is given, it answers with one of our errors, which says where the mistake is. */
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { toDuplex, toJsonRpc, toWebStreams, type JsonRpcMessage } from '../../api/adapters/index.js'
import {
  createEngine,
  TransportError,
  type Connection,
  type Engine,
  type EngineOptions,
  type Frame,
  type Listener,
  type PoolOptions,
  type ReconnectingOptions,
  type Transport,
  type TransportErrorCode,
  type TransportOptions,
  type WaitOptions,
} from '../../api/index.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { randomName } from '../helpers/temporary-folder.js'
import { turns } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 10_000
const SECRET = 'hunter2'

failOnWarnings()

let engine: Engine
let transport: Transport
let listener: Listener
let connection: Connection

test.serial.before('an engine and a connection', async () => {
  engine = await createEngine({ shards: 1 })
  transport = engine.transport(`memory:${randomName()}`)
  listener = await transport.listen(() => undefined)
  connection = await transport.connect()
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close({ graceMs: 0 })).leaked, 0)
})

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const circular: Record<string, unknown> = {}
circular['self'] = circular

const hostile = {
  get timeoutMs(): number {
    throw new Error(SECRET)
  },
}

/** Values that no call accepts as options. */
const noOptions: readonly unknown[] = [null, 5, 5n, 'x', true, Symbol('x'), [], [1], () => undefined, revoked()]

/** Objects with wrong options. */
const wrongOptions: readonly unknown[] = [
  circular,
  { timeoutMs: 5n },
  { timeoutMs: NaN },
  { timeoutMs: Infinity },
  { timeoutMs: '5' },
  { timeoutMs: Symbol('x') },
  { signal: revoked() },
  { signal: null },
  hostile,
  Object.freeze({ timeout: 5 }),
  Object.assign(Object.create(null) as object, { timeout: 5 }),
  new Proxy(
    {},
    {
      ownKeys() {
        throw new Error(SECRET)
      },
    },
  ),
]

function keepsQuiet(t: ExecutionContext, error: TransportError): void {
  t.notRegex(error.message, new RegExp(SECRET))
  t.false(error.retryable)
}

const calls: Readonly<Record<string, (options: WaitOptions) => Promise<unknown>>> = {
  'connect()': (options) => transport.connect(options),
  'listen()': (options) => transport.listen(() => undefined, options),
  'receive()': (options) => connection.receive(options),
  'ready()': (options) => connection.ready(options),
  'end()': (options) => connection.end(options),
  'pool.acquire()': async (options) => {
    const pool = transport.pool()
    try {
      return await pool.acquire(options)
    } finally {
      await pool.close()
    }
  },
  'reconnecting.connected()': async (options) => {
    const connection = transport.reconnecting()
    try {
      await connection.connected(options)
    } finally {
      await connection.close()
    }
  },
}

for (const [name, call] of Object.entries(calls)) {
  test.serial(`${name} refuses invalid options`, async (t) => {
    t.timeout(WATCHDOG_MS)
    for (const options of [...noOptions, ...wrongOptions]) {
      // If it were accepted it would wait.
      const outcome = Promise.race([call(options as WaitOptions), turns(50)])
      keepsQuiet(t, await rejects(t, outcome, 'ERR_INVALID_OPTION'))
    }
  })
}

test.serial('engine.close() and pool.close() refuse them and close nothing', async (t) => {
  t.timeout(WATCHDOG_MS)
  const pool = transport.pool()
  for (const options of [...noOptions, { graceMs: 5n }, { grace: 5 }, circular]) {
    await rejects(t, engine.close(options as object), 'ERR_INVALID_OPTION')
    await rejects(t, pool.close(options as object), 'ERR_INVALID_OPTION')
    throws(
      t,
      () => {
        pool.resize(options as object)
      },
      'ERR_INVALID_OPTION',
    )
  }
  await pool.use(() => undefined)
  await rejects(t, pool.use(5 as unknown as () => void), 'ERR_INVALID_OPTION')
  await pool.close()
})

test.serial('createEngine(), transport(), pool() and reconnecting() refuse invalid options', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const options of [...noOptions, circular]) {
    await rejects(t, createEngine(options as EngineOptions), 'ERR_INVALID_OPTION')
    throws(t, () => engine.transport('memory:x', options as TransportOptions), 'ERR_INVALID_OPTION')
    throws(t, () => transport.pool(options as PoolOptions), 'ERR_INVALID_OPTION')
    throws(t, () => transport.reconnecting(options as ReconnectingOptions), 'ERR_INVALID_OPTION')
  }
})

test.serial('they refuse an array, a BigInt, a symbol or a proxy in the place of any option', (t) => {
  const values: readonly unknown[] = [[], 5n, Symbol('x'), revoked(), circular, NaN, SECRET, -1, null]
  const wrong: readonly (readonly [name: string, make: (value: unknown) => unknown])[] = [
    ['backoff', (value) => transport.reconnecting({ backoff: value } as ReconnectingOptions)],
    ['heartbeat', (value) => transport.reconnecting({ heartbeat: value } as ReconnectingOptions)],
    ['breaker', (value) => transport.reconnecting({ breaker: value } as ReconnectingOptions)],
    ['maxAttempts', (value) => transport.reconnecting({ maxAttempts: value } as ReconnectingOptions)],
    ['onLoss', (value) => transport.reconnecting({ onLoss: value } as ReconnectingOptions)],
    ['backoff', (value) => transport.pool({ backoff: value } as PoolOptions)],
    ['validate', (value) => transport.pool({ validate: value } as PoolOptions)],
    ['max', (value) => transport.pool({ max: value } as PoolOptions)],
    ['maxFrameBytes', (value) => engine.transport('memory:x', { maxFrameBytes: value } as TransportOptions)],
    ['framing', (value) => engine.transport('memory:x', { framing: value } as TransportOptions)],
  ]
  for (const [name, make] of wrong) {
    for (const value of values) {
      const error = throws(t, () => make(value), 'ERR_INVALID_OPTION')
      t.regex(error.message, new RegExp(`\\b${name}\\b`), inspect(value))
      keepsQuiet(t, error)
    }
  }
  for (const maxAttempts of [1e300, 2 ** 31, 0, 1.5])
    throws(t, () => transport.reconnecting({ maxAttempts }), 'ERR_INVALID_OPTION')
})

test.serial('they accept a frozen object, one without a prototype and an instance of a class', async (t) => {
  t.timeout(WATCHDOG_MS)
  class Waiting {
    readonly timeoutMs: number = 1
  }
  const bare = Object.assign(Object.create(null) as object, { timeoutMs: 1 })
  const withSymbol = { timeoutMs: 1, [Symbol('of no meaning')]: true }
  const fine: readonly WaitOptions[] = [
    Object.freeze({ timeoutMs: 1 }),
    bare,
    new Waiting(),
    withSymbol,
    { timeoutMs: -0 },
  ]
  for (const options of fine) await rejects(t, connection.receive(options), 'ERR_TIMEOUT')
  class Sized {
    #bytes = 5
    get maxFrameBytes(): number {
      return this.#bytes
    }
  }
  t.notThrows(() => engine.transport('memory:x', new Sized()))
  t.notThrows(() => engine.transport('memory:x', Object.freeze({ connectTimeoutMs: -0 })))
})

test.serial('each getter is read once', (t) => {
  let reads = 0
  const options = {
    get maxPendingBytes() {
      reads++
      return 20_000_000
    },
  }
  engine.transport('memory:x', options)
  t.is(reads, 1)
})

test.serial('subscribe() and onStateChange() refuse what is not a function, and leave no reader behind', async (t) => {
  t.timeout(WATCHDOG_MS)
  const reconnecting = transport.reconnecting()
  for (const reader of [connection, reconnecting]) {
    for (const options of [...noOptions, { borow: true }, { borrow: 1 }, { borrow: 'yes' }, { borrow: null }])
      throws(t, () => reader.subscribe(() => undefined, options as object), 'ERR_INVALID_OPTION')
    for (const handler of [undefined, null, 5, 'x', {}]) {
      throws(t, () => reader.subscribe(handler as () => void), 'ERR_INVALID_OPTION')
      throws(t, () => reader.subscribeBatch(handler as () => void), 'ERR_INVALID_OPTION')
    }
    reader.subscribe(() => undefined)()
  }
  throws(t, () => reconnecting.onStateChange(5 as unknown as () => void), 'ERR_INVALID_OPTION')
  await reconnecting.close()
})

test.serial('destroy() accepts any reason; one that is not an error becomes the cause', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const reason of ['x', null, 5n, Object.create(null), Symbol('x')] as unknown[]) {
    const one = await transport.connect()
    const connection = transport.reconnecting()
    await connection.connected()
    for (const each of [one, connection]) {
      each.destroy(reason as Error)
      const { code, cause } = await each.closed
      t.is(code, 'ERR_ABORTED')
      t.is(cause?.cause, reason ?? undefined)
    }
  }
})

/** Views that have lost their memory, a new one for each use. */
const lost: Readonly<Record<string, () => Uint8Array>> = {
  'a transferred view': () => {
    const view = Uint8Array.of(1, 2, 3)
    structuredClone(view.buffer, { transfer: [view.buffer] })
    return view
  },
  'a transferred Buffer': () => {
    const view = Buffer.from(Uint8Array.of(1, 2, 3).buffer)
    structuredClone(view.buffer, { transfer: [view.buffer] })
    return view
  },
  'a view of a buffer that was made smaller': () => {
    const Resizable = ArrayBuffer as unknown as new (
      length: number,
      options: { readonly maxByteLength: number },
    ) => ArrayBuffer & { resize(length: number): void }
    const buffer = new Resizable(16, { maxByteLength: 16 })
    const view = new Uint8Array(buffer, 8, 8)
    buffer.resize(4)
    return view
  },
}

const empties: readonly Uint8Array[] = [
  new Uint8Array(0),
  Buffer.alloc(0),
  new Uint8Array(8).subarray(8),
  new Uint8Array(new SharedArrayBuffer(0)),
]

for (const [what, make] of Object.entries(lost)) {
  test.serial(`${what} is never sent as an empty frame`, async (t) => {
    t.timeout(WATCHDOG_MS)
    for (const framing of ['length', 'line', 'content-length'] as const) {
      const framed = engine.transport(`memory:${randomName()}`, { framing })
      const framedListener = await framed.listen((connection) => {
        connection.subscribe(() => undefined)
      })
      const one = await framed.connect()
      const connection = framed.reconnecting()
      // At first it has no connection, and puts frames into its queue.
      for (const sender of [connection, one]) {
        throws(t, () => sender.send(make()), 'ERR_INVALID_FRAME')
        throws(t, () => sender.send(['x', make()]), 'ERR_INVALID_FRAME')
      }
      await connection.connected()
      throws(t, () => connection.send(make()), 'ERR_INVALID_FRAME')
      t.is(one.info.framesSent, 0)
      for (const empty of empties) {
        one.send(empty)
        one.send(['', empty])
        connection.send(empty)
      }
      t.deepEqual([one.info.framesSent, connection.info.framesSent], [8, 4])
      await connection.close()
      await one.close()
      await framedListener.close()
    }
  })

  test.serial(`${what} fails the write of a stream`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const one = await transport.connect()
    const writer = toWebStreams(one).writable.getWriter()
    const closed = writer.closed.catch((error: unknown) => error)
    await rejects(t, writer.write(make()), 'ERR_INVALID_FRAME')
    t.true((await closed) instanceof TransportError)
    one.destroy()
    for (const objectMode of [false, true]) {
      const other = await transport.connect()
      const stream = toDuplex(other, { objectMode })
      const failed = new Promise((resolve) => stream.once('error', resolve))
      const view = make()
      // To a stream of bytes Node looks for the memory of a view itself.
      if (objectMode || Buffer.isBuffer(view)) {
        stream.write(view)
        t.is(((await failed) as TransportError).code, 'ERR_INVALID_FRAME')
      }
      t.is(other.info.framesSent, 0)
      stream.destroy()
      await other.closed
    }
  })
}

test.serial('a value that is not a frame is refused, whatever it looks like', async (t) => {
  t.timeout(WATCHDOG_MS)
  const reconnecting = engine.transport(`memory:${randomName()}`).reconnecting()
  const hostileParts = new Proxy(['x'], {
    get() {
      throw new Error(SECRET)
    },
  })
  const wrong: readonly unknown[] = [
    null,
    undefined,
    5,
    5n,
    Symbol('x'),
    {},
    new Uint16Array(2),
    new DataView(new ArrayBuffer(2)),
    new ArrayBuffer(2),
    new Proxy(new Uint8Array(2), {}),
    Object.create(Uint8Array.prototype),
    // More than a ring holds: nothing of it may have gone into the queue when it turns out to be no bytes.
    Object.create(Uint8Array.prototype, { length: { value: 100_000 } }),
    revoked(),
    [5],
    [['x']],
    [null],
    Array(2),
    hostileParts,
    [new Proxy(new Uint8Array(2), {})],
  ]
  for (const frame of wrong) {
    for (const sender of [connection, reconnecting]) {
      const before = sender.info.framesSent
      keepsQuiet(
        t,
        throws(t, () => sender.send(frame as Frame), 'ERR_INVALID_FRAME'),
      )
      t.is(sender.info.framesSent, before)
      t.is(sender.pendingBytes, 0)
    }
  }
  reconnecting.destroy()
  await reconnecting.closed
})

test.serial('a message that is not JSON is refused as a frame', async (t) => {
  t.timeout(WATCHDOG_MS)
  const one = await transport.connect()
  const { writer } = toJsonRpc(one)
  const codes: TransportErrorCode[] = []
  writer.onError(([error]) => codes.push(error instanceof TransportError ? error.code : 'ERR_IO'))
  for (const message of [circular, { jsonrpc: '2.0', id: 5n }, undefined])
    await rejects(t, writer.write(message as unknown as JsonRpcMessage), 'ERR_INVALID_FRAME')
  t.deepEqual(codes, ['ERR_INVALID_FRAME', 'ERR_INVALID_FRAME', 'ERR_INVALID_FRAME'])
  t.is(one.info.framesSent, 0)
  one.destroy()
  await one.closed
})

test.serial('toDuplex() refuses invalid options', (t) => {
  for (const options of [...noOptions, { objectMode: 1 }, { objektMode: true }])
    throws(t, () => toDuplex(connection, options as object), 'ERR_INVALID_OPTION')
})

test.serial('listen() accepts only a function, and accept() refuses invalid options', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const handler of [null, 5, 'x', {}])
    await rejects(t, transport.listen(handler as unknown as () => void), 'ERR_INVALID_OPTION')
  for (const options of noOptions) await rejects(t, listener.accept(options as object), 'ERR_INVALID_OPTION')
})
