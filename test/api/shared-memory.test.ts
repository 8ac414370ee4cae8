/** Connections over shared memory through the public API: sizes, limits, ends, readers, adapters, pools. */
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import test from 'ava'
import { toDuplex, toJsonRpc, type JsonRpcMessage } from '../../api/adapters/index.js'
import type { Connection } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { digestOf, frameOf, framesOf, receiveMany, receiveToEnd, sendAll } from '../helpers/frames.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { nativeMemories } from '../helpers/native-memories.js'
import { withSharedEngines } from '../helpers/shared-engines.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const onShared = nativeMemories.length === 0 ? test.serial.skip : test.serial
const halfOpen = { allowHalfOpen: true }
/** Larger than any ring, and than any number of frames on the way. */
const LARGE = 15_000_000
const FRAME_TIMEOUT_MS = 77_777

failOnWarnings()

onShared('ends whose rings differ in size share memory, each grows its own, and frames pass both ways', async (t) => {
  for (const [dialling, listening] of [
    [
      { initialRingBytes: 4096, maxRingBytes: 32_768 },
      { initialRingBytes: 131_072, maxRingBytes: 2_097_152 },
    ],
    [
      { initialRingBytes: 131_072, maxRingBytes: 8_388_608 },
      { initialRingBytes: 4096, maxRingBytes: 4096 },
    ],
  ] as const) {
    await withSharedEngines(t, { dialling, listening }, async ({ pair }) => {
      const { dialled, accepted } = await pair()
      const frames = framesOf([0, 1, 4091, 4092, 4093, 32_764, 32_765, 1_000_000, 3])
      const [, , there, back] = await Promise.all([
        sendAll(dialled, frames),
        sendAll(accepted, frames),
        receiveMany(accepted, frames.length),
        receiveMany(dialled, frames.length),
      ])
      t.is(digestOf(there), digestOf(frames))
      t.is(digestOf(back), digestOf(frames))
      await Promise.all([dialled.close(), accepted.close()])
    })
  }
})

onShared('frames of no bytes and of one pass where no more is allowed, and the next larger one does not', async (t) => {
  const accept = { maxFrameBytes: 1 }
  await withSharedEngines(t, { accept }, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    for (const frame of ['', 'x', '', '']) dialled.send(frame)
    t.deepEqual((await receiveMany(accepted, 4)).map(String), ['', 'x', '', ''])
    t.throws(() => accepted.send('xy'), { code: 'ERR_FRAME_TOO_LARGE' })
    dialled.send('xy')
    await rejects(t, accepted.receive(), 'ERR_FRAME_TOO_LARGE')
    t.is((await accepted.closed).code, 'ERR_FRAME_TOO_LARGE')
    t.is((await dialled.closed).code, 'ERR_RESET')
  })
})

onShared('both ends can send more than all rings hold before either reads', async (t) => {
  const options = { maxRingBytes: 32_768 }
  await withSharedEngines(t, { dialling: options, listening: options }, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    const frames = [frameOf(LARGE / 2, 3), frameOf(LARGE / 2, 7)]
    for (const connection of [dialled, accepted]) {
      for (const frame of frames) t.false(connection.send(frame))
      t.true(connection.pendingBytes >= LARGE)
    }
    // The first one is collected without a reader, and then no more.
    await until(() => dialled.pendingBytes < LARGE && accepted.pendingBytes < LARGE)
    await turns(20)
    for (const { pendingBytes } of [dialled, accepted]) t.true(pendingBytes >= LARGE / 2 - 65_536, 'nobody reads')
    const ready = Promise.all([dialled.ready(), accepted.ready()])
    const received = await Promise.all([receiveMany(dialled, 2), receiveMany(accepted, 2)])
    for (const others of received) t.is(digestOf(others), digestOf(frames))
    await ready
    t.deepEqual([dialled.pendingBytes, accepted.pendingBytes], [0, 0])
  })
})

onShared('a side that has ended with a large frame on the way still gets the answer, large as it is', async (t) => {
  await withSharedEngines(t, { dial: halfOpen, accept: halfOpen }, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    const frame = frameOf(LARGE, 4)
    dialled.send(frame)
    const ended = dialled.end()
    t.is(digestOf(await receiveToEnd(accepted)), digestOf([frame]))
    await ended
    accepted.send(frame)
    accepted.send('last')
    const answered = accepted.end()
    t.is(digestOf(await receiveToEnd(dialled)), digestOf([frame, Buffer.from('last')]))
    await answered
    t.deepEqual(await Promise.all([dialled.closed, accepted.closed]), [{ code: 'OK' }, { code: 'OK' }])
  })
})

onShared('a frame whose rest does not come in time ends the connection with ERR_FRAME_TIMEOUT', async (t) => {
  const clock = new ManualClock((ms) => ms === FRAME_TIMEOUT_MS)
  const options = { initialRingBytes: 4096, maxRingBytes: 4096 }
  const accept = { frameTimeoutMs: FRAME_TIMEOUT_MS }
  await withSharedEngines(t, { clock, accept, dialling: options, listening: options }, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    const receiving = rejects(t, accepted.receive(), 'ERR_FRAME_TIMEOUT')
    dialled.send(frameOf(LARGE, 5))
    await until(() => clock.armed.length > 0)
    clock.advance(FRAME_TIMEOUT_MS)
    await receiving
    t.is((await accepted.closed).code, 'ERR_FRAME_TIMEOUT')
    t.is((await dialled.closed).code, 'ERR_RESET')
  })
})

onShared('handlers that keep their threads busy lose nothing, and their peers wait for them', async (t) => {
  await withSharedEngines(t, { listening: { maxRingBytes: 32_768 } }, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    const frames = framesOf(Array.from({ length: 60 }, (_, i) => (i * 7919) % 100_000))
    const hashes: string[] = []
    accepted.subscribe(
      (frame) => {
        // Longer than a turn by far, and the answer has to wait for its end.
        let hash = Buffer.from(frame)
        for (let i = 0; i < 500; i++) hash = createHash('sha256').update(hash).digest()
        accepted.send(hash)
      },
      { borrow: true },
    )
    dialled.subscribe((hash) => void hashes.push(hash.toString('hex')))
    for (const frame of frames) dialled.send(frame)
    await until(() => hashes.length === frames.length)
    const expected = frames.map((frame) => {
      let hash = frame
      for (let i = 0; i < 500; i++) hash = createHash('sha256').update(hash).digest()
      return hash.toString('hex')
    })
    t.deepEqual(hashes, expected)
  })
})

onShared('a stream of bytes goes through a Duplex unchanged, and its end too', async (t) => {
  await withSharedEngines(t, { dial: halfOpen, accept: halfOpen }, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    const bytes = frameOf(5_000_000, 6)
    const far = toDuplex(accepted)
    const echoing = pipeline(far, far)
    const near = toDuplex(dialled)
    const hash = createHash('sha256')
    const reading = (async () => {
      for await (const chunk of near) hash.update(chunk as Buffer)
    })()
    await pipeline(Readable.from([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)]), near, { end: true })
    await Promise.all([reading, echoing])
    t.is(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'))
    t.deepEqual(await Promise.all([dialled.closed, accepted.closed]), [{ code: 'OK' }, { code: 'OK' }])
  })
})

onShared('JSON-RPC messages are asked and answered', async (t) => {
  await withSharedEngines(t, {}, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    const [client, server] = [toJsonRpc(dialled), toJsonRpc(accepted)]
    server.reader.listen((message) => {
      void server.writer.write({
        jsonrpc: '2.0',
        id: (message as { id?: number }).id ?? 0,
        result: message,
      } as JsonRpcMessage)
    })
    const answers: JsonRpcMessage[] = []
    client.reader.listen((message) => void answers.push(message))
    for (let id = 1; id <= 20; id++) await client.writer.write({ jsonrpc: '2.0', id, method: 'ask' } as JsonRpcMessage)
    await until(() => answers.length === 20)
    t.deepEqual(
      answers.map((answer) => (answer as { id?: number }).id),
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
  })
})

onShared('a pool lends one connection again and again, and none whose peer has ended it', async (t) => {
  await withSharedEngines(t, {}, async ({ dialling, endpoint, listener }) => {
    const peers: Connection[] = []
    const serving = (async () => {
      for await (const peer of listener) {
        peers.push(peer)
        peer.subscribe((frame) => void peer.send(frame))
      }
    })()
    const pool = dialling.transport(endpoint).pool({ max: 1 })
    const ask = (question: string): Promise<string> =>
      pool.use(async (connection) => {
        t.is(connection.info.memory, 'shared')
        connection.send(question)
        return String(await connection.receive())
      })
    for (let i = 0; i < 50; i++) t.is(await ask(String(i)), String(i))
    t.is(peers.length, 1)
    for (const end of [
      (peer: Connection) => void peer.end(),
      (peer: Connection) => peer.destroy(),
      (peer: Connection) => void peer.send('nobody has asked'),
    ]) {
      const peer = peers.at(-1)
      if (peer === undefined) throw new Error('there is no peer')
      end(peer)
      // What is sent leaves at the end of this microtask.
      await Promise.resolve()
      t.is(await ask('next'), 'next')
      t.not(peers.at(-1), peer)
    }
    await pool.close()
    await listener.close()
    await serving
  })
})

onShared('a borrowed view holds its frame while the ring is written to by the other engine', async (t) => {
  const options = { initialRingBytes: 4096, maxRingBytes: 4096 }
  await withSharedEngines(t, { dialling: options, listening: options }, async ({ pair }) => {
    const { dialled, accepted } = await pair()
    const frames = framesOf(Array.from({ length: 200 }, (_, i) => (i * 37) % 1_500))
    const over = signal()
    let count = 0
    accepted.subscribe(
      (view) => {
        const expected = frames[count++]
        // More is written behind it in this moment.
        if (expected !== undefined) dialled.send('more')
        t.true(expected === undefined ? String(view) === 'more' : view.equals(expected))
        if (count === frames.length) over.resolve()
      },
      { borrow: true },
    )
    for (const frame of frames) dialled.send(frame)
    await over.promise
  })
})
