/**
 * Peers that know nothing of the engine: plain `net` sockets, and bytes written by hand. Each test runs both ways
 * round.
 */
import { once } from 'node:events'
import net from 'node:net'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type TransportOptions } from '../../api/index.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { digestOf, frameOf, framesOf, receiveMany, receiveToEnd, sendAll } from '../helpers/frames.js'
import { rawFrame, rawFrames, RawReader } from '../helpers/raw-frames.js'
import { Random } from '../helpers/random.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 10_000

let engine: Engine
let folder: TemporaryFolder

failOnWarnings()

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1 })
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
  /** Waits until the engine's thread has read this many of the peer's bytes. */
  readonly hasRead: (bytes: number) => Promise<void>
}

type Direction = (
  options: TransportOptions,
) => Promise<{ ours: Connection; peer: net.Socket; close: () => Promise<unknown> }>

const directions: Readonly<Record<string, Direction>> = {
  async 'a net client'(options) {
    const path = folder.socketPath()
    const listener = await engine.transport(`unix:${path}`, options).listen()
    const peer = net.connect({ path, allowHalfOpen: true })
    await once(peer, 'connect')
    for await (const ours of listener) {
      return { ours, peer, close: () => listener.close() }
    }
    throw new Error('the listener closed')
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
  body: (t: ExecutionContext, ends: Ends) => Promise<void>,
  options: TransportOptions = {},
): void {
  for (const [name, open] of Object.entries(directions)) {
    test.serial(`${name}: ${title}`, async (t) => {
      t.timeout(WATCHDOG_MS)
      const bytesRead = (): number => engine.stats().shards.reduce((sum, shard) => sum + shard.bytesRead, 0)
      const before = bytesRead()
      const { ours, peer, close } = await open(options)
      peer.on('error', () => undefined)
      try {
        await body(t, { ours, peer, hasRead: (bytes) => until(() => bytesRead() >= before + bytes) })
      } finally {
        peer.destroy()
        ours.destroy()
        await ours.closed
        await close()
      }
    })
  }
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex')
}

bothWays('the bytes on the wire are a little-endian length and the payload', async (t, { ours, peer }) => {
  const bytes: Buffer[] = []
  const ended = new Promise((resolve) => peer.once('end', resolve))
  peer.on('data', (chunk: Buffer) => bytes.push(chunk))
  ours.send('abc')
  ours.send('')
  ours.send(Buffer.alloc(258, 0x7a))
  await ours.end()
  await ended
  t.is(hex(Buffer.concat(bytes)), `030000006162630000000002010000${'7a'.repeat(258)}`)
  peer.write(Buffer.from('04000000deadbeef', 'hex'))
  t.is(hex(await ours.receive()), 'deadbeef')
  peer.end()
  t.deepEqual(await ours.closed, { code: 'OK' })
})

bothWays('frames that are split anywhere are put together again', async (t, { ours, peer, hasRead }) => {
  const payloads = ['hello', '', 'xyz']
  const bytes = rawFrames(payloads)
  let sent = 0
  const write = async (part: Buffer): Promise<void> => {
    peer.write(part)
    sent += part.length
    // The next write must come in a read of its own.
    await hasRead(sent)
  }
  for (let cut = 1; cut < bytes.length; cut++) {
    await write(bytes.subarray(0, cut))
    await write(bytes.subarray(cut))
    t.deepEqual((await receiveMany(ours, 3)).map(String), payloads, `cut at ${String(cut)}`)
  }
  const receiving = receiveMany(ours, 3)
  for (let i = 0; i < bytes.length; i++) await write(bytes.subarray(i, i + 1))
  t.deepEqual((await receiving).map(String), payloads)
})

bothWays('frames that are split anywhere reach a subscriber that borrows', async (t, { ours, peer, hasRead }) => {
  // Longer than half of a new ring, so that frames cross its end and are streamed.
  const frames = framesOf([5000, 3, 6000, 0, 9000, 1])
  const bytes = rawFrames(frames)
  const seen: Buffer[] = []
  ours.subscribe((frame) => seen.push(Buffer.from(frame)), { borrow: true })
  const random = new Random(3)
  for (let at = 0; at < bytes.length;) {
    const size = random.oneIn(2) ? random.between(1, 9) : random.between(10, 3000)
    peer.write(bytes.subarray(at, at + size))
    at = Math.min(at + size, bytes.length)
    await hasRead(at)
  }
  await until(() => seen.length === frames.length)
  t.is(digestOf(seen), digestOf(frames))
})

bothWays('many frames in one write arrive one by one', async (t, { ours, peer }) => {
  const frames = framesOf(Array.from({ length: 5000 }, (_, i) => i % 53))
  peer.write(rawFrames(frames))
  t.is(digestOf(await receiveMany(ours, frames.length)), digestOf(frames))
})

bothWays('a zero-length frame is a frame', async (t, { ours, peer }) => {
  peer.write(Buffer.alloc(12))
  t.deepEqual((await receiveMany(ours, 3)).map(String), ['', '', ''])
  peer.end(Buffer.alloc(4))
  t.deepEqual((await receiveToEnd(ours)).map(String), [''])
  t.deepEqual(await ours.closed, { code: 'OK' })
})

bothWays('large and small frames are echoed by a reader that parses by hand', async (t, { ours, peer }) => {
  const frames = framesOf([1, 70_000, 0, 3_000_000, 12, 8192])
  const reader = new RawReader(peer)
  const echo = (async () => {
    for (const frame of await reader.take(frames.length)) peer.write(rawFrame(frame))
  })()
  const [, , echoed] = await Promise.all([sendAll(ours, frames), echo, receiveMany(ours, frames.length)])
  t.is(digestOf(echoed), digestOf(frames))
})

bothWays(
  'an announced length over maxFrameBytes ends the connection before a byte of it is kept',
  async (t, { ours, peer }) => {
    const gone = new Promise((resolve) => peer.once('close', resolve))
    peer.resume()
    const header = Buffer.alloc(4)
    header.writeUInt32LE(1001)
    peer.write(Buffer.concat([rawFrame('good'), header]))
    t.is(String(await ours.receive()), 'good')
    await rejects(t, ours.receive(), 'ERR_FRAME_TOO_LARGE')
    t.is((await ours.closed).code, 'ERR_FRAME_TOO_LARGE')
    peer.end()
    await gone
    t.is(ours.info.framesReceived, 1)
  },
  { maxFrameBytes: 1000 },
)

bothWays('an announced length of 4 GiB is refused, also by a side that does not read', async (t, { ours, peer }) => {
  peer.write(Buffer.alloc(4, 0xff))
  t.is((await ours.closed).code, 'ERR_FRAME_TOO_LARGE')
})

for (const announced of [1_073_741_825, 0x7fffffff, 0xffffffff]) {
  bothWays(
    `no memory is taken for an announced length of ${String(announced)}`,
    async (t, { ours, peer }) => {
      const header = Buffer.alloc(4)
      header.writeUInt32LE(announced)
      const { arrayBuffers, external } = process.memoryUsage()
      const receiving = rejects(t, ours.receive(), 'ERR_FRAME_TOO_LARGE')
      peer.write(Buffer.concat([header, Buffer.alloc(60_000)]))
      const error = await receiving
      t.regex(error.message, new RegExp(`${String(announced)} bytes`))
      const after = process.memoryUsage()
      // Rings may grow and a megabyte of them may be announced; nothing near what the peer said.
      t.true(after.arrayBuffers - arrayBuffers < 67_108_864, 'array buffers')
      t.true(after.external - external < 67_108_864, 'external')
    },
    { maxFrameBytes: 1_073_741_824 },
  )
}

for (const size of [1, 5, 4099, 70_000, 2_000_000]) {
  bothWays(
    `a peer that is cut in the middle of a frame of ${String(size + 4)} bytes leaves nothing of it`,
    async (t, { ours, peer, hasRead }) => {
      const whole = rawFrame('whole')
      const part = rawFrame(Buffer.alloc(size)).subarray(0, size + 3)
      const receiving = receiveMany(ours, 1).then(() => ours.receive())
      const failed = rejects(t, receiving, 'ERR_TRUNCATED')
      peer.write(whole)
      peer.write(part)
      await hasRead(whole.length + part.length)
      peer.destroy()
      await failed
      t.is((await ours.closed).code, 'ERR_TRUNCATED')
      t.is(ours.info.framesReceived, 1)
    },
  )
}

for (const [where, bytes] of [
  ['the length', Buffer.from([5, 0])],
  ['the payload', Buffer.from([5, 0, 0, 0, 1, 2])],
  ['a payload that is larger than the ring', Buffer.concat([Buffer.from([0, 0, 16, 0]), Buffer.alloc(100_000)])],
  ['the payload, at its start', Buffer.from([5, 0, 0, 0])],
] as const) {
  bothWays(
    `an end in the middle of ${where} is ERR_TRUNCATED, after the frames before it`,
    async (t, { ours, peer }) => {
      peer.end(Buffer.concat([rawFrame('whole'), bytes]))
      t.is(String(await ours.receive()), 'whole')
      const error = await rejects(t, ours.receive(), 'ERR_TRUNCATED')
      t.true(error.retryable)
      t.is((await ours.closed).code, 'ERR_TRUNCATED')
    },
  )
}

bothWays('a side that does not read notices an end in the middle of a frame', async (t, { ours, peer }) => {
  peer.end(Buffer.from([9, 0, 0, 0, 1]))
  t.is((await ours.closed).code, 'ERR_TRUNCATED')
})

bothWays(
  'over a half-open connection a peer that has ended its side gets an answer',
  async (t, { ours, peer }) => {
    const reader = new RawReader(peer)
    peer.end(rawFrame('question'))
    t.deepEqual((await receiveToEnd(ours)).map(String), ['question'])
    const answer = frameOf(300_000, 1)
    await sendAll(ours, [answer])
    const [read] = await Promise.all([reader.next(), ours.end()])
    t.true(read?.equals(answer))
    t.is(await reader.next(), undefined)
    t.deepEqual(await ours.closed, { code: 'OK' })
  },
  { allowHalfOpen: true },
)

bothWays('a peer that has ended its side is ended too once everything is read and sent', async (t, { ours, peer }) => {
  const reader = new RawReader(peer)
  peer.end(rawFrame('question'))
  ours.send('an answer that was on its way')
  t.deepEqual((await receiveToEnd(ours)).map(String), ['question'])
  t.is(String(await reader.next()), 'an answer that was on its way')
  t.is(await reader.next(), undefined)
  t.deepEqual(await ours.closed, { code: 'OK' })
})

bothWays("after our end() the peer's frames still arrive", async (t, { ours, peer }) => {
  const reader = new RawReader(peer)
  ours.send('bye')
  await ours.end()
  t.is(String(await reader.next()), 'bye')
  t.is(await reader.next(), undefined)
  const words = framesOf([4, 200_000, 5])
  peer.end(rawFrames(words))
  t.is(digestOf(await receiveToEnd(ours)), digestOf(words))
  t.deepEqual(await ours.closed, { code: 'OK' })
})

bothWays('a peer that goes away with our frames unread is ERR_RESET', async (t, { ours, peer }) => {
  // A paused socket still reads a little; the kernel takes this much and the peer does not.
  peer.pause()
  peer.write(rawFrame('last words'))
  for (let i = 0; i < 3; i++) ours.send(Buffer.alloc(40_000))
  await until(() => ours.pendingBytes === 0)
  peer.destroy()
  t.is(String(await ours.receive()), 'last words')
  const { code, cause } = await ours.closed
  t.is(code, 'ERR_RESET')
  t.is((cause?.cause as NodeJS.ErrnoException).code, 'ECONNRESET')
  await rejects(t, ours.receive(), 'ERR_RESET')
})

bothWays('writing to a peer that has gone ends the connection', async (t, { ours, peer }) => {
  peer.destroy()
  await t.throwsAsync(async () => {
    for (;;) {
      if (!ours.send(Buffer.alloc(5000))) await ours.ready()
      await turns()
    }
  })
  throws(t, () => ours.send('late'), 'ERR_CLOSED')
  const { code } = await ours.closed
  t.true(code === 'OK' || code === 'ERR_RESET', code)
})
