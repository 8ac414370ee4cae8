/** A connection as a Node stream, as web streams, and as a reader and writer of JSON-RPC. */
import { createHash } from 'node:crypto'
import { PassThrough, Readable, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import test, { type ExecutionContext } from 'ava'
import { toDuplex, toJsonRpc, toWebStreams, type Adaptable, type JsonRpcMessage } from '../../api/adapters/index.js'
import { createEngine, TransportError, type Connection, type Engine } from '../../api/index.js'
import type { TransportOptions } from '../../api/index.js'
import { FailureBook } from '../helpers/failure-book.js'
import { framesOf, frameOf, receiveMany, receiveToEnd } from '../helpers/frames.js'
import { rejects } from '../helpers/expected-errors.js'
import { randomName } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings, WarningBook } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000

failOnWarnings()

const failures = new FailureBook()

let engine: Engine

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1, maxRingBytes: 32_768, onError: failures.onError })
})

test.serial.after.always('everything was released', async (t) => {
  const { leaked, byKind } = await engine.close()
  t.is(leaked, 0, JSON.stringify(byKind))
})

interface Pair {
  readonly near: Connection
  readonly far: Connection
}

function pair(
  title: string,
  options: TransportOptions,
  body: (t: ExecutionContext, ends: Pair) => Promise<void>,
  farOptions = options,
): void {
  test.serial(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const endpoint = `memory:${randomName()}`
    const listener = await engine.transport(endpoint, farOptions).listen()
    const [near, far] = await Promise.all([engine.transport(endpoint, options).connect(), listener.accept()])
    if (far === undefined) throw new Error('the listener closed')
    try {
      await body(t, { near, far })
    } finally {
      near.destroy()
      far.destroy()
      await Promise.all([near.closed, far.closed, listener.close()])
    }
  })
}

const RAW = { framing: 'raw', allowHalfOpen: true } as const
const HALF_OPEN = { allowHalfOpen: true } as const

function digest(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha1')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

/** Echoes everything, and ends when its peer has ended. */
async function echo(connection: Connection): Promise<void> {
  for await (const frame of connection) if (!connection.send(frame)) await connection.ready()
  await connection.end()
}

pair('several megabytes go through an echo by pipeline(), and everything ends', RAW, async (t, { near, far }) => {
  const echoing = echo(far)
  const chunks = framesOf(Array<number>(100).fill(60_000))
  const heard: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      heard.push(chunk)
      setImmediate(done)
    },
  })
  await pipeline(Readable.from(chunks), toDuplex(near), sink)
  await echoing
  t.is(digest(heard), digest(chunks))
  t.is((await near.closed).code, 'OK')
})

pair('as objects, frames keep their boundaries, also empty ones and strings', HALF_OPEN, async (t, { near, far }) => {
  const stream = toDuplex(near, { objectMode: true })
  for (const frame of ['grüß', '', Buffer.from([1, 2]), new Uint8Array([3])]) stream.write(frame)
  stream.end()
  const sent = await receiveToEnd(far)
  t.deepEqual(
    sent.map((frame) => [...frame]),
    [[...Buffer.from('grüß')], [], [1, 2], [3]],
  )
  for (const word of ['one', '', 'two']) far.send(word)
  await far.end()
  const got: string[] = []
  for await (const frame of stream) got.push(String(frame))
  t.deepEqual(got, ['one', '', 'two'])
})

pair('as bytes, empty chunks are nothing, and strings have their encoding', RAW, async (t, { near, far }) => {
  const stream = toDuplex(near)
  stream.write('')
  stream.write(Buffer.alloc(0))
  stream.write('6869', 'hex')
  stream.end()
  t.is(Buffer.concat(await receiveToEnd(far)).toString(), 'hi')
  stream.resume()
  await far.end()
  await finished(stream)
})

pair('an empty frame does not end a stream of bytes', HALF_OPEN, async (t, { near, far }) => {
  const stream = toDuplex(near)
  for (const word of ['a', '', 'b']) far.send(word)
  await far.end()
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  t.is(text, 'ab')
})

pair(
  "write() returns false while the peer does not read, and 'drain' comes once it does",
  RAW,
  async (t, { near, far }) => {
    const stream = toDuplex(near)
    const chunk = Buffer.alloc(16_384, 7)
    let count = 0
    while (stream.write(chunk)) {
      count++
      await turns()
      if (count > 100_000) throw new Error('it takes everything')
    }
    t.true(near.info.bytesSent < 4_000_000)
    const drained = new Promise<void>((resolve) => {
      stream.once('drain', resolve)
    })
    far.subscribe(() => undefined)
    await drained
    stream.destroy()
    t.is((await near.closed).code, 'ERR_ABORTED')
  },
)

pair('a stream reads nothing before it is asked to', HALF_OPEN, async (t, { near, far }) => {
  const stream = toDuplex(near, { objectMode: true })
  for (let i = 0; i < 100; i++) far.send(String(i))
  await until(() => far.pendingBytes === 0)
  await turns(10)
  t.is(near.info.framesReceived, 0)
  t.is(String(await new Promise((resolve) => stream.once('data', resolve))), '0')
  stream.pause()
  await turns(10)
  t.true(near.info.framesReceived < 50, String(near.info.framesReceived))
  stream.destroy()
})

pair('without half-open the stream ends with the connection', {}, async (t, { near, far }) => {
  const stream = toDuplex(near)
  stream.resume()
  await far.end()
  await finished(stream)
  t.true(stream.writableFinished)
  t.is((await near.closed).code, 'OK')
})

pair('a stream that is destroyed with an error destroys the connection with it', {}, async (t, { near }) => {
  const reason = new Error('enough')
  const stream = toDuplex(near)
  const failed = new Promise((resolve) => stream.once('error', resolve))
  stream.destroy(reason)
  t.is(await failed, reason)
  const { code, cause } = await near.closed
  t.is(code, 'ERR_ABORTED')
  t.is(cause?.cause, reason)
})

pair('a connection that breaks while it is read fails the stream', HALF_OPEN, async (t, { near }) => {
  const reading = receiveAll(toDuplex(near))
  near.destroy(new TransportError('ERR_RESET', 'broken'))
  t.is((await t.throwsAsync<TransportError>(reading)).code, 'ERR_RESET')
})

pair('a connection that breaks while it is written fails pipeline()', RAW, async (t, { near }) => {
  const source = Readable.from(framesOf(Array<number>(400).fill(60_000)))
  const writing = pipeline(source, toDuplex(near), new PassThrough().resume())
  await until(() => near.pendingBytes > 0)
  near.destroy(new TransportError('ERR_RESET', 'broken'))
  const error = await t.throwsAsync<TransportError>(writing)
  t.true(['ERR_RESET', 'ERR_CLOSED'].includes(error.code), String(error))
})

pair('a stream does not finish when what was written has not left', RAW, async (t, { near }) => {
  const stream = toDuplex(near)
  let finishes = 0
  stream.on('finish', () => finishes++)
  const failed = new Promise((resolve) => stream.once('error', resolve))
  // All of it is taken, and the peer reads nothing: end() waits.
  near.send(frameOf(2_000_000, 1))
  stream.end()
  await turns(5)
  near.destroy(new TransportError('ERR_RESET', 'broken'))
  t.is(((await failed) as TransportError).code, 'ERR_RESET')
  t.is(finishes, 0)
})

pair('a stream without a reader emits the error that broke its connection', {}, async (t, { near, far }) => {
  const stream = toDuplex(near)
  far.destroy(new Error('enough'))
  t.is((await t.throwsAsync<TransportError>(finished(stream))).code, 'ERR_RESET')
})

pair('a stream that was read to its end emits the error that broke its connection', RAW, async (t, { near, far }) => {
  const stream = toDuplex(near).resume()
  const ended = new Promise((resolve) => stream.once('end', resolve))
  await far.end()
  await ended
  near.destroy(new TransportError('ERR_RESET', 'broken'))
  t.is((await t.throwsAsync<TransportError>(finished(stream))).code, 'ERR_RESET')
})

pair('a stream without a reader is destroyed with its connection, without an error', {}, async (t, { near }) => {
  const stream = toDuplex(near)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  near.destroy()
  await closed
  t.is(stream.errored, null)
})

async function receiveAll(stream: Readable): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return chunks
}

pair('web streams carry an echo by pipeTo()', HALF_OPEN, async (t, { near, far }) => {
  const { readable, writable } = toWebStreams(near)
  const there = toWebStreams(far)
  const frames = framesOf([0, 10, 60_000, 1_000_000, 3])
  const heard: Uint8Array[] = []
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const frame of frames) controller.enqueue(frame)
      controller.close()
    },
  })
  await Promise.all([
    source.pipeTo(writable),
    there.readable.pipeTo(there.writable),
    readable.pipeTo(new WritableStream({ write: (chunk) => void heard.push(chunk) })),
  ])
  t.deepEqual(
    heard.map(({ length }) => length),
    frames.map(({ length }) => length),
  )
  t.is(digest(heard), digest(frames))
  t.deepEqual(await near.closed, { code: 'OK' })
})

pair('a web stream reads nothing ahead', HALF_OPEN, async (t, { near, far }) => {
  const { readable } = toWebStreams(near)
  for (const word of ['one', 'two']) far.send(word)
  await until(() => far.pendingBytes === 0)
  await turns(10)
  t.is(near.info.framesReceived, 0)
  const reader = readable.getReader()
  t.is(Buffer.from((await reader.read()).value ?? []).toString(), 'one')
  await turns(10)
  t.is(near.info.framesReceived, 1)
})

for (const [adapter, write] of [
  [
    'a stream',
    (near: Connection, text: string) => {
      const stream = toDuplex(near, { objectMode: true }).resume()
      stream.end(text)
      return finished(stream)
    },
  ],
  [
    'a web stream',
    (near: Connection, text: string) => {
      const { readable, writable } = toWebStreams(near)
      const read = readable.pipeTo(new WritableStream())
      return Promise.all([read, writable.getWriter().write(text)])
    },
  ],
  [
    'JSON-RPC',
    (near: Connection, text: string) => {
      const { reader, writer } = toJsonRpc(near)
      reader.listen(() => undefined)
      return writer.write(text as unknown as JsonRpcMessage)
    },
  ],
] as const) {
  pair(
    `what ${adapter} has written leaves also when the peer ends before it has taken it`,
    {},
    async (t, { near, far }) => {
      const text = 'x'.repeat(2_000_000)
      const written = write(near, text)
      await until(() => near.pendingBytes > 0)
      // The peer ends, and reads on: the near side, which is not half-open, ends when all has left.
      const [frames] = await Promise.all([receiveToEnd(far), far.end(), written])
      t.deepEqual(
        frames.map((frame) => frame.length >= text.length),
        [true],
      )
      t.is((await near.closed).code, 'OK')
    },
    { allowHalfOpen: true },
  )
}

pair('cancelling a web stream destroys the connection', {}, async (t, { near }) => {
  const { readable } = toWebStreams(near)
  const reason = new Error('enough')
  const reader = readable.getReader()
  const reading = reader.read()
  await reader.cancel(reason)
  t.true((await reading).done)
  t.is((await near.closed).cause?.cause, reason)
})

for (const doing of ['write', 'close'] as const) {
  pair(`aborting a web stream does not wait for a ${doing} that the peer holds up`, {}, async (t, { near }) => {
    const { writable } = toWebStreams(near)
    const writer = writable.getWriter()
    const reason = new Error('enough')
    const outcomes = [
      writer.write(frameOf(2_000_000, 1)).then(
        () => 'written',
        () => 'failed',
      ),
    ]
    if (doing === 'close') {
      near.send(frameOf(2_000_000, 2))
      outcomes.push(
        writer.close().then(
          () => 'closed',
          () => 'failed',
        ),
      )
    }
    await turns(5)
    const aborting = writer.abort(reason).catch(() => undefined)
    await aborting
    t.false((await Promise.all(outcomes)).includes('closed'))
    t.is((await near.closed).code, 'ERR_ABORTED')
    await writer.closed.catch(() => undefined)
  })
}

pair('a writable whose connection breaks says why', {}, async (t, { near }) => {
  const writer = toWebStreams(near).writable.getWriter()
  near.destroy(new TransportError('ERR_RESET', 'broken'))
  t.is((await t.throwsAsync<TransportError>(writer.closed)).code, 'ERR_RESET')
})

const message = (id: number): JsonRpcMessage => ({ jsonrpc: '2.0', id, method: 'work' }) as JsonRpcMessage

pair('JSON-RPC messages go both ways', {}, async (t, { near, far }) => {
  const here = toJsonRpc(near)
  const there = toJsonRpc(far)
  const got = signal<JsonRpcMessage>()
  there.reader.listen((request) => void there.writer.write(request))
  here.reader.listen(got.resolve)
  await here.writer.write(message(1))
  t.deepEqual(await got.promise, message(1))
})

const codeOf = (error: Error): string => String((error as { readonly code?: unknown }).code)

pair('a bad message is reported, and later ones still arrive', {}, async (t, { near, far }) => {
  const { reader } = toJsonRpc(near)
  const errors: string[] = []
  const also: string[] = []
  reader.onError((error) => errors.push(codeOf(error)))
  const second = reader.onError((error) => also.push(codeOf(error)))
  const got: JsonRpcMessage[] = []
  const done = signal()
  reader.listen((one) => {
    got.push(one)
    done.resolve()
  })
  far.send('{"jsonrpc":')
  await until(() => errors.length === 1)
  second.dispose()
  far.send(`{"jsonrpc":"2.0","method":"deep","params":${'['.repeat(1_000)}${']'.repeat(1_000)}}`)
  far.send(JSON.stringify(message(2)))
  await done.promise
  t.deepEqual(got, [message(2)])
  t.deepEqual([errors, also], [['ERR_INVALID_MESSAGE', 'ERR_INVALID_MESSAGE'], ['ERR_INVALID_MESSAGE']])
})

pair('onClose calls each listener once, after the last message', {}, async (t, { near, far }) => {
  const { reader, writer } = toJsonRpc(near)
  const log: string[] = []
  const over = signal()
  const count = 3_000
  let messages = 0
  reader.listen(() => messages++)
  reader.onClose(() => log.push(`first ${String(messages)}`))
  reader.onClose(() => {
    log.push('second')
    over.resolve()
  })
  writer.onClose(() => log.push('writer'))
  for (let i = 0; i < count; i++) if (!far.send(JSON.stringify(message(i)))) await far.ready()
  far.end().catch(() => undefined)
  await over.promise
  t.is(log.filter((line) => line.startsWith('first')).join(), `first ${String(count)}`)
  t.deepEqual(log.filter((line) => !line.startsWith('first')).sort(), ['second', 'writer'])
})

pair('what a callback throws on a message after the end is reported', {}, async (t, { near, far }) => {
  near.subscribe(() => new Promise(() => undefined))()
  for (let i = 0; i < 3; i++) far.send(JSON.stringify(message(i)))
  await Promise.all([far.end(), near.end()])
  await near.closed
  const { reader } = toJsonRpc(near)
  const errors: unknown[] = []
  const over = signal()
  const got: JsonRpcMessage[] = []
  reader.onError((error) => errors.push([(error as { readonly code?: unknown }).code, (error.cause as Error).message]))
  reader.onClose(over.resolve)
  reader.listen((one) => {
    got.push(one)
    throw new Error('cannot digest')
  })
  await over.promise
  t.deepEqual(got, [message(0)])
  t.deepEqual(errors, [['ERR_HANDLER', 'cannot digest']])
  t.deepEqual(failures.takeTold(), ['subscriber: cannot digest'])
})

pair('a listener that throws does not keep others from being called', {}, async (t, { near, far }) => {
  const { reader } = toJsonRpc(near)
  const told: string[] = []
  const over = signal()
  reader.onError(() => {
    if (told.length === 0) throw new Error('cannot digest')
  })
  reader.onError((error) => told.push(codeOf(error)))
  reader.onClose(over.resolve)
  reader.listen(() => undefined)
  far.send('no JSON')
  await over.promise
  t.deepEqual(told, ['ERR_INVALID_MESSAGE', 'ERR_HANDLER'])
  t.is((await near.closed).code, 'ERR_HANDLER')
  t.deepEqual(failures.takeTold(), ['adapter: cannot digest'])
})

pair('listeners and callbacks that fail at any time end nothing but their connection', {}, async (t, { near, far }) => {
  const { reader, writer } = toJsonRpc(near)
  const over = signal()
  reader.onClose(() => {
    throw new Error('no close')
  })
  reader.onClose(() => Promise.reject(new Error('no slow close')))
  writer.onClose(() => {
    throw new Error('no end')
  })
  reader.onClose(over.resolve)
  // The type does not allow it, but a host may still do it.
  const listen = reader.listen.bind(reader) as (callback: () => unknown) => void
  listen(() => Promise.reject(new Error('cannot digest')))
  far.send(JSON.stringify(message(1)))
  t.is((await near.closed).code, 'ERR_HANDLER')
  await over.promise
  await turns()
  t.deepEqual(failures.takeTold().sort(), [
    'adapter: no close',
    'adapter: no end',
    'adapter: no slow close',
    'subscriber: cannot digest',
  ])
})

pair('a write that fails says why, whatever a listener throws', {}, async (t, { near }) => {
  const { writer } = toJsonRpc(near)
  writer.onError(() => {
    throw new Error('cannot digest')
  })
  near.destroy()
  await rejects(t, writer.write(message(1)), 'ERR_CLOSED')
  t.deepEqual(failures.takeTold(), ['adapter: cannot digest'])
})

test.serial('a failing callback over a connection that is not ours is a process warning', async (t) => {
  t.timeout(WATCHDOG_MS)
  const warnings = new WarningBook()
  const destroyed = signal<Error | undefined>()
  const foreign: Adaptable = {
    closed: new Promise(() => undefined),
    info: { endpoint: 'foreign:' },
    send: () => true,
    ready: () => Promise.resolve(),
    receive: () => Promise.resolve(undefined),
    subscribe: (handler) => {
      setImmediate(() => handler(Buffer.from(JSON.stringify(message(1)))))
      return () => undefined
    },
    end: () => Promise.resolve(),
    close: () => Promise.resolve(),
    destroy: destroyed.resolve,
  }
  try {
    toJsonRpc(foreign).reader.listen(() => {
      throw new Error('cannot digest')
    })
    t.is(((await destroyed.promise) as TransportError).code, 'ERR_HANDLER')
    t.regex((await warnings.next()).message, /^foreign:: the callback for messages failed/)
  } finally {
    warnings.close()
  }
})

pair('a disposed listener is not called any more', {}, async (t, { near, far }) => {
  const { reader, writer } = toJsonRpc(near)
  let told = 0
  const listening = reader.listen(() => told++)
  reader.onClose(() => told++)
  writer.onClose(() => told++)
  listening.dispose()
  far.send(JSON.stringify(message(1)))
  t.deepEqual(JSON.parse(String((await receiveMany(near, 1))[0])), message(1))
  reader.dispose()
  writer.dispose()
  far.destroy()
  await near.closed
  await turns(5)
  t.is(told, 0)
})

pair('a failed write is reported with its message and the number of earlier failures', {}, async (t, { near }) => {
  const { writer } = toJsonRpc(near)
  const failures: unknown[] = []
  writer.onError(([error, failed, count]) =>
    failures.push([(error as { readonly code?: unknown }).code, failed, count]),
  )
  near.destroy()
  for (let i = 1; i <= 2; i++) await t.throwsAsync(writer.write(message(i)))
  t.deepEqual(failures, [
    ['ERR_CLOSED', message(1), 1],
    ['ERR_CLOSED', message(2), 2],
  ])
})

test.serial('over a reconnecting connection messages go on across a loss', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport(`memory:${randomName()}`)
  const listener = await transport.listen()
  const connection = transport.reconnecting()
  try {
    const { reader, writer } = toJsonRpc(connection)
    const heard: unknown[] = []
    reader.listen(({ jsonrpc }) => void heard.push(jsonrpc))
    for (const round of ['before', 'after']) {
      const peer = await listener.accept()
      if (peer === undefined) throw new Error('the listener closed')
      await writer.write({ jsonrpc: round })
      t.is(String(await peer.receive()), JSON.stringify({ jsonrpc: round }))
      peer.send(JSON.stringify({ jsonrpc: `${round}, heard` }))
      await until(() => heard.includes(`${round}, heard`))
      peer.destroy()
    }
    t.deepEqual(heard, ['before, heard', 'after, heard'])
  } finally {
    connection.destroy()
    await Promise.all([connection.closed, listener.close()])
  }
})
