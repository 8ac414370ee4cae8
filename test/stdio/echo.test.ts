/** What the contract says of frames, consumers, sending, ending and flow, over a child that echoes everything. */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type TransportOptions } from '../../api/index.js'
import { framingKinds, type FramingKind } from '../../engine/protocol/framing.js'
import { nodeProgram } from '../helpers/small-children.js'
import { FailureBook } from '../helpers/failure-book.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import {
  digestOf,
  frameOf,
  framesOf,
  randomLengths,
  readingWays,
  singleWays,
  receiveMany,
  receiveToEnd,
  sendAll,
  takeBy,
} from '../helpers/frames.js'
import { byLength } from '../helpers/length.js'
import { signal, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { carriable } from '../helpers/wire-bytes.js'

const WATCHDOG_MS = 20_000
const SIZES = [0, 1, 64, 1024, 8187, 8188, 8189, 8192, 0, 65_536, 1_048_576, 5_242_880, 3, 0]
const CLEAN = { code: 'OK', exitCode: 0, signal: null }

failOnWarnings()

const failures = new FailureBook()

let engine: Engine

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 1, onError: failures.onError })
})

test.serial.after.always('everything was released', async (t) => {
  const { leaked, byKind } = await engine.close()
  t.is(leaked, 0, JSON.stringify(byKind))
})

type Start = (options?: TransportOptions, on?: Engine) => Promise<Connection>

function echo(framing: FramingKind, title: string, body: (t: ExecutionContext, start: Start) => Promise<void>): void {
  test.serial(`${framing}: ${title}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const connections: Connection[] = []
    try {
      await body(t, async (options = {}, on = engine) => {
        const transport = on.transport(nodeProgram('echo-child', []), { framing, ...options })
        const connection = await transport.connect()
        connections.push(connection)
        return connection
      })
    } finally {
      for (const connection of connections) connection.destroy()
      await Promise.all(connections.map((connection) => connection.closed))
    }
    t.is(engine.stats().connections, 0)
  })
}

const framings = byLength<readonly FramingKind[]>({ short: ['length', 'line', 'content-length'], long: framingKinds })

for (const framing of framings) {
  if (framing === 'raw') continue
  const carry = (frames: readonly Buffer[]): Buffer[] => frames.map((frame) => carriable(framing, frame))

  echo(framing, 'frames of every size come back in order, read in every way', async (t, start) => {
    const connection = await start()
    for (const [i, way] of readingWays.entries()) {
      const frames = carry(framesOf(SIZES, 100 * i))
      const [, echoes] = await Promise.all([sendAll(connection, frames), takeBy(way, connection, frames.length)])
      t.is(digestOf(echoes), digestOf(frames), way)
    }
    t.deepEqual(await connection.close(), CLEAN)
  })

  echo(framing, 'a long stream comes back, and half-close gives its end', async (t, start) => {
    const connection = await start()
    const frames = carry(framesOf(randomLengths(2000, 20_000, 7)))
    const [, echoes] = await Promise.all([
      sendAll(connection, frames).then(() => connection.end()),
      receiveToEnd(connection),
    ])
    t.is(digestOf(echoes), digestOf(frames))
    throws(t, () => connection.send('late'), 'ERR_CLOSED')
    t.deepEqual(await connection.closed, CLEAN)
    t.is(await connection.receive(), undefined)
  })

  echo(framing, 'close() lets everything leave, and what comes back is still read', async (t, start) => {
    const connection = await start()
    const frames = carry(framesOf([1_000_000, 5, 1_000_000, 0, 17]))
    for (const frame of frames) connection.send(frame)
    const [echoes, closed] = await Promise.all([receiveToEnd(connection), connection.close()])
    t.is(digestOf(echoes), digestOf(frames))
    t.deepEqual(closed, CLEAN)
    t.is(connection.pendingBytes, 0)
  })
}

echo('raw', 'bytes come back in order, whatever their boundaries, and half-close gives their end', async (t, start) => {
  const connection = await start()
  const frames = framesOf(randomLengths(500, 60_000, 9).map((length) => length + 1))
  const [, echoes] = await Promise.all([
    sendAll(connection, frames).then(() => connection.end()),
    receiveToEnd(connection),
  ])
  t.true(Buffer.concat(echoes).equals(Buffer.concat(frames)))
  t.deepEqual(await connection.closed, CLEAN)
})

echo('length', 'consumers take turns, and a second one is refused', async (t, start) => {
  const connection = await start()
  const frames = framesOf(Array<number>(8).fill(50))
  await sendAll(connection, frames)
  const taken = []
  for (const way of singleWays) taken.push(...(await takeBy(way, connection, 2)))
  t.is(digestOf(taken), digestOf(frames))
  const waiting = connection.receive()
  await rejects(t, connection.receive(), 'ERR_CONSUMER_BUSY')
  throws(t, () => connection.subscribe(() => undefined), 'ERR_CONSUMER_BUSY')
  connection.send('first')
  t.is(String(await waiting), 'first')
})

echo('length', 'a subscriber that throws ends the connection and the child', async (t, start) => {
  const connection = await start()
  connection.subscribe(() => {
    throw new Error('cannot digest')
  })
  connection.send('poison')
  const { code, cause, signal: by } = await connection.closed
  t.is(code, 'ERR_HANDLER')
  t.is((cause?.cause as Error).message, 'cannot digest')
  t.deepEqual(failures.takeTold(), ['subscriber: cannot digest'])
  // The end of its stdin may have come to it before SIGTERM.
  t.true(by === 'SIGTERM' || by === null)
})

echo('length', 'a borrowed view holds its frame while the handler sends', async (t, start) => {
  const connection = await start()
  const frames = framesOf([100, 6000, 20_000, 100_000, 5])
  const done = signal()
  const seen: Buffer[] = []
  connection.subscribe(
    (frame) => {
      if (seen.length < frames.length) connection.send('noise')
      seen.push(Buffer.from(frame))
      if (seen.length === 2 * frames.length) done.resolve()
    },
    { borrow: true },
  )
  await sendAll(connection, frames)
  await done.promise
  t.is(digestOf(seen.filter((frame) => String(frame) !== 'noise')), digestOf(frames))
})

echo('length', 'limits hold: a frame too large, and more than may wait', async (t, start) => {
  const own = await createEngine({ shards: 1, maxRingBytes: 8192 })
  try {
    const connection = await start({ maxFrameBytes: 100_000, maxPendingBytes: 200_000 }, own)
    throws(t, () => connection.send(Buffer.alloc(100_001)), 'ERR_FRAME_TOO_LARGE')
    const frames: Buffer[] = []
    const fill = (): void => {
      for (;;) {
        const frame = frameOf(90_000, frames.length)
        connection.send(frame)
        frames.push(frame)
      }
    }
    throws(t, fill, 'ERR_BACKPRESSURE')
    t.true(frames.length > 0)
    t.is(digestOf(await receiveMany(connection, frames.length)), digestOf(frames))
    await connection.ready()
    t.deepEqual(await connection.close(), CLEAN)
  } finally {
    await own.close({ graceMs: 0 })
  }
})

echo('length', 'a subscriber that is slow to settle stops the child, and nothing is lost', async (t, start) => {
  const own = await createEngine({ shards: 1, maxRingBytes: 32_768 })
  try {
    const connection = await start({}, own)
    const frames = framesOf(Array<number>(500).fill(8192))
    const release = signal()
    const done = signal()
    const seen: Buffer[] = []
    connection.subscribe((frame) => {
      if (seen.push(frame) === frames.length) done.resolve()
      return seen.length === 1 ? release.promise : undefined
    })
    let sentAll = false
    const sending = sendAll(connection, frames).then(() => {
      sentAll = true
    })
    const other = await start({}, own)
    await until(() => seen.length > 0)
    for (let before = -1; before !== connection.info.framesSent;) {
      before = connection.info.framesSent
      for (let i = 0; i < 50; i++) {
        other.send('ping')
        await other.receive()
      }
    }
    t.is(seen.length, 1)
    t.false(sentAll)
    release.resolve()
    await Promise.all([sending, done.promise])
    t.is(digestOf(seen), digestOf(frames))
  } finally {
    await own.close({ graceMs: 0 })
  }
})
