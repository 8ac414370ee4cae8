/** What send() takes, what it refuses, and how it reports backpressure. */
import type { Connection, Frame } from '../../api/index.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { digestOf, frameOf, framesOf, receiveMany, sendAll } from '../helpers/frames.js'
import { until } from '../helpers/turns.js'
import type { Contract } from './contract.js'

/** Sends until the ring is full; returns the frames that were sent. */
function fill(connection: Connection, length: number): Buffer[] {
  const frames: Buffer[] = []
  for (let i = 0; i < 100_000; i++) {
    const frame = frameOf(length, i)
    frames.push(frame)
    if (!connection.send(frame)) return frames
  }
  throw new Error('the ring never filled')
}

export function sendingTests({ test }: Contract): void {
  test('send() returns false on a full ring, and true again after ready()', async (t, world) => {
    const { dialled, accepted } = await world.pair({ maxRingBytes: 32_768 })
    t.true(dialled.send('room'))
    const frames = fill(dialled, 4000)
    t.true(dialled.pendingBytes > 0)
    const receiving = receiveMany(accepted, frames.length + 2)
    await dialled.ready()
    t.true(dialled.send('room again'))
    const received = await receiving
    t.is(digestOf(received.slice(1, -1)), digestOf(frames))
    t.is(String(received.at(-1)), 'room again')
    await until(() => dialled.pendingBytes === 0)
    t.is(dialled.pendingBytes, 0)
  })

  test('ready() resolves at once while there is room', async (t, world) => {
    const { dialled } = await world.pair()
    await dialled.ready()
    dialled.send('x')
    await t.notThrowsAsync(dialled.ready({ timeoutMs: 1 }))
  })

  test('ready() that is aborted leaves the connection as it was', async (t, world) => {
    const { dialled, accepted } = await world.pair({ maxRingBytes: 8192 })
    const frames = fill(dialled, 300_000)
    frames.push(...fill(dialled, 3000))
    const abort = new AbortController()
    const reason = new Error('too slow')
    const waiting = dialled.ready({ signal: abort.signal })
    const patient = dialled.ready()
    abort.abort(reason)
    t.is((await rejects(t, waiting, 'ERR_ABORTED')).cause, reason)
    await rejects(t, dialled.ready({ signal: abort.signal }), 'ERR_ABORTED')
    await rejects(t, dialled.ready({ timeoutMs: 1 }), 'ERR_TIMEOUT')
    const received = await receiveMany(accepted, frames.length)
    await patient
    t.is(digestOf(received), digestOf(frames))
  })

  test('ready() rejects when the connection ends', async (t, world) => {
    const { dialled } = await world.pair({ maxRingBytes: 8192 })
    fill(dialled, 300_000)
    const waiting = rejects(t, dialled.ready(), 'ERR_CLOSED')
    dialled.destroy()
    await waiting
    await rejects(t, dialled.ready(), 'ERR_CLOSED')
  })

  test('past maxPendingBytes send() throws and takes nothing', async (t, world) => {
    const limits = { maxFrameBytes: 100_000, maxPendingBytes: 250_000 }
    const { dialled, accepted } = await world.pair({ maxRingBytes: 32_768, dial: limits, accept: limits })
    const frames: Buffer[] = []
    let refused: unknown
    for (let i = 0; i < 10_000 && refused === undefined; i++) {
      const frame = frameOf(90_000, i)
      try {
        dialled.send(frame)
        frames.push(frame)
      } catch (error) {
        refused = error
      }
    }
    const error = throws(
      t,
      () => {
        if (refused !== undefined) throw refused as Error
      },
      'ERR_BACKPRESSURE',
    )
    t.true(error.retryable)
    t.is(dialled.info.framesSent, frames.length)
    t.is(dialled.info.bytesSent, frames.length * 90_000)
    t.true(dialled.pendingBytes <= limits.maxPendingBytes + 32_768)
    const receiving = receiveMany(accepted, frames.length + 1)
    await dialled.ready()
    dialled.send('after')
    const received = await receiving
    t.is(digestOf(received.slice(0, -1)), digestOf(frames))
    t.is(String(received.at(-1)), 'after')
  })

  test('send() refuses a frame over maxFrameBytes', async (t, world) => {
    const limits = { maxFrameBytes: 1000 }
    const { dialled, accepted } = await world.pair({ dial: limits, accept: limits })
    const tooLarge: Frame[] = [
      Buffer.alloc(1001),
      'x'.repeat(1001),
      'ü'.repeat(501),
      [Buffer.alloc(600), 'y'.repeat(401)],
      Buffer.alloc(100_000),
    ]
    for (const frame of tooLarge) throws(t, () => dialled.send(frame), 'ERR_FRAME_TOO_LARGE')
    t.is(dialled.info.framesSent, 0)
    t.is(dialled.pendingBytes, 0)
    const largest = frameOf(1000, 1)
    dialled.send(largest)
    t.true((await accepted.receive())?.equals(largest))
  })

  test("a frame over the receiver's maxFrameBytes ends the connection after the frames before it", async (t, world) => {
    const { dialled, accepted } = await world.pair({ accept: { maxFrameBytes: 1000 } })
    dialled.send('fits')
    dialled.send(Buffer.alloc(1001))
    dialled.send('never read')
    t.is(String(await accepted.receive()), 'fits')
    await rejects(t, accepted.receive(), 'ERR_FRAME_TOO_LARGE')
    t.is((await accepted.closed).code, 'ERR_FRAME_TOO_LARGE')
    await rejects(t, accepted.receive(), 'ERR_FRAME_TOO_LARGE')
    await dialled.closed
  })

  test('send() refuses a value that is not a frame, and sends nothing of it', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const wrong: unknown[] = [
      undefined,
      null,
      7,
      true,
      {},
      new ArrayBuffer(4),
      ['good', 7],
      [['nested']],
      [null],
      new Array(2),
    ]
    for (const value of wrong) {
      throws(t, () => dialled.send(value as Frame), 'ERR_INVALID_FRAME')
    }
    t.is(dialled.info.framesSent, 0)
    dialled.send('good')
    t.is(String(await accepted.receive()), 'good')
  })

  test('send() is refused after end(), close() and destroy()', async (t, world) => {
    const ends: ((connection: Connection) => unknown)[] = [
      (connection) => connection.end(),
      (connection) => connection.close(),
      (connection) => {
        connection.destroy()
      },
    ]
    for (const end of ends) {
      // The peer does not read, so close() reaches its deadline.
      const { dialled } = await world.pair({ dial: { closeTimeoutMs: 5 } })
      dialled.send('before')
      const ending = end(dialled)
      throws(t, () => dialled.send('after'), 'ERR_CLOSED')
      await rejects(t, dialled.ready(), 'ERR_CLOSED')
      await ending
      throws(t, () => dialled.send('after'), 'ERR_CLOSED')
      t.is(dialled.info.framesSent, 1)
    }
  })

  test('sendBatch() sends what as many send()s would, and says when the ring is full', async (t, world) => {
    const { dialled, accepted } = await world.pair({ maxRingBytes: 32_768 })
    t.true(dialled.sendBatch([]))
    t.is(dialled.info.framesSent, 0)
    const mixed: Frame[] = ['text', '', [Buffer.from('pa'), 'rts'], Buffer.from('bytes')]
    // The last batches do not fit into the ring.
    const batches = [framesOf([5]), framesOf([0, 1, 64, 64]), framesOf([5000, 64, 9000]), framesOf([3000, 60_000, 10])]
    const receiving = receiveMany(accepted, batches.flat().length + mixed.length)
    t.true(dialled.sendBatch(mixed))
    const went = batches.map((batch) => dialled.sendBatch(batch))
    t.deepEqual([went[0], went.at(-1)], [true, false])
    await dialled.ready()
    const received = await receiving
    t.deepEqual(received.slice(0, mixed.length).map(String), ['text', '', 'parts', 'bytes'])
    t.is(digestOf(received.slice(mixed.length)), digestOf(batches.flat()))
    t.is(dialled.info.framesSent, received.length)
    t.is(dialled.info.bytesSent, Buffer.concat(received).length)
  })

  test('sendBatch() takes nothing of a batch that it refuses', async (t, world) => {
    const limits = { maxFrameBytes: 1000, maxPendingBytes: 4000 }
    const { dialled, accepted } = await world.pair({ maxRingBytes: 8192, dial: limits, accept: limits })
    const good = framesOf([10, 20])
    const invalid = throws(t, () => dialled.sendBatch([...good, 7 as unknown as Frame]), 'ERR_INVALID_FRAME')
    t.regex(invalid.message, /frame 2 of a batch/)
    throws(t, () => dialled.sendBatch([...good, Buffer.alloc(1001), ...good]), 'ERR_FRAME_TOO_LARGE')
    throws(t, () => dialled.sendBatch('text' as unknown as Frame[]), 'ERR_INVALID_FRAME')
    throws(t, () => dialled.sendBatch(new Set(good) as unknown as Frame[]), 'ERR_INVALID_FRAME')
    // More than the ring and the queue before it can hold.
    const tooMany = framesOf(Array.from({ length: 100 }, () => 1000))
    t.true(throws(t, () => dialled.sendBatch(tooMany), 'ERR_BACKPRESSURE').retryable)
    t.is(dialled.info.framesSent, 0)
    t.is(dialled.pendingBytes, 0)
    dialled.sendBatch(good)
    t.is(digestOf(await receiveMany(accepted, 2)), digestOf(good))
    await dialled.end()
    throws(t, () => dialled.sendBatch(good), 'ERR_CLOSED')
  })

  test('info counts frames and payload bytes', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf([0, 10, 200, 30_000])
    const established = dialled.info.establishedAt
    const [, received] = await Promise.all([sendAll(dialled, frames), receiveMany(accepted, 4)])
    t.is(received.length, 4)
    const sent = dialled.info
    const got = accepted.info
    t.deepEqual([sent.framesSent, sent.bytesSent, sent.framesReceived, sent.bytesReceived], [4, 30_210, 0, 0])
    t.deepEqual([got.framesSent, got.bytesSent, got.framesReceived, got.bytesReceived], [0, 0, 4, 30_210])
    t.is(sent.establishedAt, established)
    t.true(sent.lastActivityAt >= established && sent.lastActivityAt <= Date.now())
    t.true(got.lastActivityAt >= got.establishedAt && got.lastActivityAt <= Date.now())
    await dialled.close()
    t.is(dialled.info.framesSent, 4)
  })
}
