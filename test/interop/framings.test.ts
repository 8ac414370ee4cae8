/** Every framing against plain `net` peers and bytes written by hand, both ways round. */
import { once } from 'node:events'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type Frame, type TransportOptions } from '../../api/index.js'
import type { FramingKind } from '../../engine/protocol/framing.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { digestOf, frameOf, framesOf, receiveMany, receiveToEnd, sendAll } from '../helpers/frames.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { carriable, onWire } from '../helpers/wire-bytes.js'

const WATCHDOG_MS = 20_000

let engine: Engine
let folder: TemporaryFolder

failOnWarnings()

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1, maxRingBytes: 32_768 })
  folder = await makeTemporaryFolder()
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close()).leaked, 0)
  t.deepEqual(await folder.list(), [])
  await folder.remove()
})

interface Ends {
  readonly ours: Connection
  readonly peer: net.Socket
}

type Direction = (options: TransportOptions) => Promise<Ends & { close: () => Promise<unknown> }>

const directions: Readonly<Record<string, Direction>> = {
  async 'a net client'(options) {
    const path = folder.socketPath()
    const listener = await engine.transport(`unix:${path}`, options).listen()
    const peer = net.connect({ path, allowHalfOpen: true })
    await once(peer, 'connect')
    const ours = await listener.accept()
    if (ours === undefined) throw new Error('the listener closed')
    return { ours, peer, close: () => listener.close() }
  },

  async 'a net server'(options) {
    const path = folder.socketPath()
    const server = net.createServer({ allowHalfOpen: true })
    const accepting = new Promise<net.Socket>((resolve) => server.once('connection', resolve))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const [ours, peer] = await Promise.all([engine.transport(`unix:${path}`, options).connect(), accepting])
    return { ours, peer, close: () => new Promise((resolve) => server.close(resolve)) }
  },
}

function bothWays(
  title: string,
  options: TransportOptions,
  body: (t: ExecutionContext, ends: Ends) => Promise<void>,
): void {
  for (const [name, open] of Object.entries(directions)) {
    test.serial(`${String(options.framing)}, ${name}: ${title}`, async (t) => {
      t.timeout(WATCHDOG_MS)
      const { ours, peer, close } = await open(options)
      peer.on('error', () => undefined)
      try {
        await body(t, { ours, peer })
      } finally {
        peer.destroy()
        ours.destroy()
        await ours.closed
        await close()
      }
    })
  }
}

/** A connection that echoes every frame, to wait for events of the shard instead of for time. */
async function otherConnection(): Promise<{
  roundTrip: () => Promise<unknown>
  close: () => Promise<unknown>
}> {
  const name = `memory:other-${String(Math.random())}`
  const transport = engine.transport(name)
  const listener = await transport.listen((connection) => {
    connection.subscribe((frame) => connection.send(frame))
  })
  const connection = await transport.connect()
  return {
    roundTrip: () => {
      connection.send('ping')
      return connection.receive()
    },
    close: () => Promise.all([connection.close(), listener.close()]),
  }
}

/** Everything that the peer gets, to the end of the stream. */
async function readAll(peer: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  peer.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(peer, 'end')
  return Buffer.concat(chunks)
}

const documented: readonly (readonly [FramingKind, string, string[]])[] = [
  ['length-be', '\0\0\0\x05hello\0\0\0\0\0\0\0\x02\xc3\xbc', ['hello', '', 'ü']],
  ['line', 'hello\n\n\xc3\xbc\n', ['hello', '', 'ü']],
  ['nul', 'hello\0\0\xc3\xbc\0', ['hello', '', 'ü']],
  [
    'content-length',
    'Content-Length: 5\r\n\r\nhelloContent-Length: 0\r\n\r\nContent-Length: 2\r\n\r\n\xc3\xbc',
    ['hello', '', 'ü'],
  ],
  ['raw', 'hello\xc3\xbc', ['hello', 'ü']],
]

for (const [framing, wire, frames] of documented) {
  bothWays(
    'the bytes on the wire are the documented ones, in both directions',
    { framing },
    async (t, { ours, peer }) => {
      const reading = readAll(peer)
      for (const frame of frames) ours.send(frame)
      await ours.end()
      t.is((await reading).toString('latin1'), wire)
      peer.end(Buffer.from(wire, 'latin1'))
      const received = await receiveToEnd(ours)
      if (framing === 'raw') t.is(String(Buffer.concat(received)), frames.join(''))
      else t.deepEqual(received.map(String), frames)
      t.deepEqual(await ours.closed, { code: 'OK' })
    },
  )

  bothWays(
    'large and small frames go out and come back through a peer that echoes bytes',
    { framing },
    async (t, { ours, peer }) => {
      peer.pipe(peer)
      const lengths = [1, 70_000, 3_000_000, 12, 8192, 4096, 1]
      const payloads = framesOf(lengths).map((payload) => carriable(framing, payload))
      const total = lengths.reduce((sum, length) => sum + length, 0)
      const receiving = (async () => {
        if (framing !== 'raw') return receiveMany(ours, payloads.length)
        const pieces: Buffer[] = []
        for (let left = total; left > 0; left -= pieces.at(-1)?.length ?? 0)
          pieces.push(...(await receiveMany(ours, 1)))
        return [Buffer.concat(pieces)]
      })()
      const [, echoed] = await Promise.all([sendAll(ours, payloads), receiving])
      t.is(digestOf(echoed), digestOf(framing === 'raw' ? [Buffer.concat(payloads)] : payloads))
    },
  )

  bothWays(
    'a receiver that does not read stops the peer, and nothing is lost',
    { framing },
    async (t, { ours, peer }) => {
      const bodies = framesOf(Array<number>(400).fill(20_000)).map((body) => carriable(framing, body))
      const wireBytes = Buffer.concat(bodies.map((body) => onWire(framing, body)))
      peer.write(wireBytes)
      // Round trips through another connection of the same shard, and still the peer holds most of it.
      const other = await otherConnection()
      let before = -1
      while (before !== ours.info.bytesReceived + peer.writableLength) {
        before = ours.info.bytesReceived + peer.writableLength
        for (let i = 0; i < 100; i++) await other.roundTrip()
      }
      await other.close()
      t.true(peer.writableLength > 0)
      peer.end()
      const received = await receiveToEnd(ours)
      t.is(digestOf([Buffer.concat(received)]), digestOf([Buffer.concat(bodies)]))
      if (framing !== 'raw') t.is(received.length, bodies.length)
    },
  )

  bothWays(
    'a peer that does not read stops the sender, and nothing is lost',
    { framing },
    async (t, { ours, peer }) => {
      const bodies: Buffer[] = []
      for (let room = true; room;) {
        const body = carriable(framing, frameOf(20_000, bodies.length))
        bodies.push(body)
        room = ours.send(body)
      }
      const reading = readAll(peer)
      await ours.ready()
      await ours.end()
      t.true((await reading).equals(Buffer.concat(bodies.map((body) => onWire(framing, body)))))
    },
  )
}

interface Bad {
  readonly what: string
  readonly options: TransportOptions
  /** Comes after a good frame. */
  readonly bytes: string
  readonly code: 'ERR_FRAMING' | 'ERR_FRAME_TOO_LARGE' | 'ERR_HEADER_TOO_LARGE' | 'ERR_TRUNCATED'
  readonly ends?: true
}

const bad: readonly Bad[] = [
  {
    what: 'JSON without headers',
    options: { framing: 'content-length' },
    bytes: '{"jsonrpc":"2.0"}\n',
    code: 'ERR_FRAMING',
  },
  {
    what: 'headers without a length',
    options: { framing: 'content-length' },
    bytes: 'Content-Type: x\r\n\r\n',
    code: 'ERR_FRAMING',
  },
  {
    what: 'headers that do not end',
    options: { framing: 'content-length', maxHeaderBytes: 100 },
    bytes: `X: ${'x'.repeat(200)}`,
    code: 'ERR_HEADER_TOO_LARGE',
  },
  {
    what: 'a length of twenty digits',
    options: { framing: 'content-length' },
    bytes: `Content-Length: ${'9'.repeat(20)}\r\n\r\n`,
    code: 'ERR_FRAME_TOO_LARGE',
  },
  {
    what: 'an end inside the headers',
    options: { framing: 'content-length' },
    bytes: 'Content-Le',
    code: 'ERR_TRUNCATED',
    ends: true,
  },
  {
    what: 'an end inside the payload',
    options: { framing: 'content-length' },
    bytes: 'Content-Length: 10\r\n\r\nhalf',
    code: 'ERR_TRUNCATED',
    ends: true,
  },
  {
    what: 'a line that is too long',
    options: { framing: 'line', maxFrameBytes: 100 },
    bytes: 'x'.repeat(200),
    code: 'ERR_FRAME_TOO_LARGE',
  },
  {
    what: 'an end inside a line',
    options: { framing: 'line' },
    bytes: 'half',
    code: 'ERR_TRUNCATED',
    ends: true,
  },
  {
    what: 'an end inside a frame',
    options: { framing: 'nul' },
    bytes: 'half',
    code: 'ERR_TRUNCATED',
    ends: true,
  },
  {
    what: 'a frame that is too long',
    options: { framing: 'nul', maxFrameBytes: 100 },
    bytes: 'x'.repeat(200),
    code: 'ERR_FRAME_TOO_LARGE',
  },
  {
    what: 'a length of 4 GiB',
    options: { framing: 'length-be' },
    bytes: '\xff\xff\xff\xff',
    code: 'ERR_FRAME_TOO_LARGE',
  },
  {
    what: 'an end inside the length',
    options: { framing: 'length-be' },
    bytes: '\0\0',
    code: 'ERR_TRUNCATED',
    ends: true,
  },
]

for (const { what, options, bytes, code, ends } of bad) {
  const { framing = 'length' } = options
  bothWays(`${what} is ${code}, after the frames before it`, options, async (t, { ours, peer }) => {
    peer.resume()
    peer.write(Buffer.concat([onWire(framing, 'good'), onWire(framing, ''), Buffer.from(bytes, 'latin1')]))
    if (ends === true) peer.end()
    t.deepEqual((await receiveMany(ours, 2)).map(String), ['good', ''])
    const error = await rejects(t, ours.receive(), code)
    t.true(error.message.length > 20)
    t.is((await ours.closed).code, code)
    await rejects(t, ours.receive(), code)
    throws(t, () => ours.send('late'), 'ERR_CLOSED')
  })
}

bothWays(
  "with lastLine 'keep' the last line may lack its end",
  { framing: 'line', lastLine: 'keep' },
  async (t, { ours, peer }) => {
    peer.end('one\r\ntwo')
    t.deepEqual((await receiveToEnd(ours)).map(String), ['one', 'two'])
    t.deepEqual(await ours.closed, { code: 'OK' })
  },
)

const FORM_FEED = { framing: 'line', delimiter: '\f' } as const

bothWays('frames end in the delimiter on the wire, in both directions', FORM_FEED, async (t, { ours, peer }) => {
  const reading = readAll(peer)
  const frames = ['hello', '', 'ü', 'two\nlines\r']
  throws(t, () => ours.send('form\ffeed'), 'ERR_INVALID_FRAME')
  throws(t, () => ours.sendBatch(['fine', Buffer.from('\f')]), 'ERR_INVALID_FRAME')
  const error = throws(t, () => ours.send(['parts ', '\f']), 'ERR_INVALID_FRAME')
  t.regex(error.message, /the delimiter "\\f"/)
  for (const frame of frames) ours.send(frame)
  await ours.end()
  const wire = 'hello\f\f\xc3\xbc\ftwo\nlines\r\f'
  t.is((await reading).toString('latin1'), wire)
  peer.end(Buffer.from(wire, 'latin1'))
  t.deepEqual((await receiveToEnd(ours)).map(String), frames)
  t.deepEqual(await ours.closed, { code: 'OK' })
})

for (const framing of ['line', 'content-length', 'nul', 'length-be', 'raw'] as const) {
  bothWays(
    'a peer that leaves our frames unread is ERR_RESET, after its last frame',
    { framing },
    async (t, { ours, peer }) => {
      peer.pause()
      const partial = framing === 'raw' ? '' : onWire(framing, 'never whole').subarray(0, 6)
      peer.write(Buffer.concat([onWire(framing, 'last words'), Buffer.from(partial)]))
      t.is(String(await ours.receive()), 'last words')
      // More than a paused socket reads ahead (128 KiB), less than that and the kernel's buffer take.
      for (let i = 0; i < 4; i++) ours.send(Buffer.alloc(40_000, 0x61))
      await until(() => ours.pendingBytes === 0)
      peer.destroy()
      t.is((await ours.closed).code, 'ERR_RESET')
      await rejects(t, ours.receive(), 'ERR_RESET')
    },
  )
}

const impossible: readonly (readonly [FramingKind, readonly Frame[]])[] = [
  [
    'line',
    [
      'two\nlines',
      '\n',
      Buffer.from('end\n'),
      ['fine', 'not\nfine', 'fine'],
      'end\r',
      Buffer.from('end\r'),
      ['end\r', '', Buffer.alloc(0)],
      [Buffer.alloc(70_000, 0x61), '\n'],
    ],
  ],
  ['nul', ['a\0b', '\0', ['a', Buffer.from([0])], Buffer.alloc(3)]],
  ['raw', ['', [], ['', Buffer.alloc(0)], new Uint8Array(0)]],
]

for (const [framing, frames] of impossible) {
  bothWays(
    'a frame that cannot be carried is refused, and nothing of it is taken',
    { framing },
    async (t, { ours, peer }) => {
      const reading = readAll(peer)
      for (const frame of frames) {
        const error = throws(t, () => ours.send(frame), 'ERR_INVALID_FRAME')
        t.true(error.message.includes(framing))
      }
      t.is(ours.info.framesSent, 0)
      t.is(ours.pendingBytes, 0)
      ours.send(['a\rb', '', 'c'])
      await ours.end()
      t.is(String(await reading), String(onWire(framing, 'a\rbc')))
    },
  )
}
