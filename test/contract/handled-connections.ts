/** Connections to a handler module, dialled on main. */
import { digestOf, frameOf, framesOf, randomLengths, receiveMany, receiveToEnd, sendAll } from '../helpers/frames.js'
import { Random } from '../helpers/random.js'
import { turns, until } from '../helpers/turns.js'
import type { HandledTests } from './handled-listening.js'

const SIZES = [0, 1, 64, 1024, 8187, 8188, 8189, 8192, 0, 65_536, 1_048_576, 5_242_880, 3, 0]
const RING_BYTES = 32_768
const FRAME_BYTES = 8192
/** More than both rings and any kernel's socket buffers hold together. */
const FLOOD_BYTES = 4_194_304
const TRIPS = 40

export function handledConnectionTests({ test, testIf, transport: subject }: HandledTests): void {
  const testHalfClose = testIf(subject.halfClose)

  test('frames of every size are sent back in order', async (t, world) => {
    const { transport } = await world.serve('echo')
    const dialled = await world.connect(transport)
    const frames = framesOf(SIZES, 100)
    const [, received] = await Promise.all([sendAll(dialled, frames), receiveMany(dialled, frames.length)])
    t.is(digestOf(received), digestOf(frames))
  })

  test('frames of every size go both ways at once', async (t, world) => {
    const { transport, api } = await world.serve('keep')
    const dialled = await world.connect(transport)
    const [there, back] = [framesOf(SIZES, 100), framesOf(SIZES, 200)]
    const [, , read, received] = await Promise.all([
      sendAll(dialled, there),
      api.sendFrames(0, SIZES, 200),
      api.readMany(0, there.length),
      receiveMany(dialled, back.length),
    ])
    t.is(read, digestOf(there))
    t.is(digestOf(received), digestOf(back))
    const { framesSent, framesReceived, bytesSent, bytesReceived } = await api.info(0)
    const bytes = SIZES.reduce((sum, size) => sum + size)
    t.deepEqual([framesSent, framesReceived, bytesSent, bytesReceived], [SIZES.length, SIZES.length, bytes, bytes])
  })

  test('a module that does not read stops the sender, and nothing is lost', async (t, world) => {
    const engine = await world.newEngine({ maxRingBytes: RING_BYTES })
    const { transport, api } = await world.serve('keep', { engine })
    const dialled = await world.connect(transport)
    const other = await world.connect(transport)
    await api.served(2)
    const frames = framesOf(Array<number>(FLOOD_BYTES / FRAME_BYTES).fill(FRAME_BYTES))
    let sentAll = false
    const sending = sendAll(dialled, frames).then(() => (sentAll = true))
    // It has stood still while round trips went through another connection of the same shard.
    for (let before = -1; before !== dialled.info.framesSent;) {
      before = dialled.info.framesSent
      for (let i = 0; i < 50; i++) {
        other.send('ping')
        await api.receive(1)
      }
    }
    t.false(sentAll)
    t.true(dialled.info.bytesSent < FLOOD_BYTES / 2)
    t.true(dialled.pendingBytes <= RING_BYTES + FRAME_BYTES + 8, String(dialled.pendingBytes))
    t.is(await api.readMany(0, frames.length), digestOf(frames))
    await sending
  })

  test('a peer that does not read stops the module, and nothing is lost', async (t, world) => {
    const engine = await world.newEngine({ maxRingBytes: RING_BYTES })
    const { transport, api } = await world.serve('keep', { engine })
    const dialled = await world.connect(transport)
    const other = await world.connect(transport)
    await api.served(2)
    const lengths = Array<number>(FLOOD_BYTES / FRAME_BYTES).fill(FRAME_BYTES)
    let sentAll = false
    const sending = api.sendFrames(0, lengths, 1).then(() => (sentAll = true))
    for (let before = -1, now = 0; before !== now;) {
      before = now
      for (let i = 0; i < 50; i++) {
        await api.send(1, 'ping')
        await other.receive()
      }
      now = (await api.info(0)).framesSent
    }
    t.false(sentAll)
    t.true((await api.info(0)).bytesSent < FLOOD_BYTES / 2)
    const { pendingBytes } = await api.facts(0)
    t.true(pendingBytes > 0 && pendingBytes <= RING_BYTES + FRAME_BYTES + 8, String(pendingBytes))
    t.is(digestOf(await receiveMany(dialled, lengths.length)), digestOf(framesOf(lengths)))
    await sending
  })

  testHalfClose('the peer may end first, and still gets the replies', async (t, world) => {
    const { transport, api } = await world.serve('keep', { options: { allowHalfOpen: true } })
    const dialled = await world.connect(transport)
    dialled.send('question')
    await dialled.end()
    t.deepEqual(await api.readToEnd(0), { count: 1, digest: digestOf([Buffer.from('question')]) })
    const lengths = [5, 100_000, 7]
    const received = receiveToEnd(dialled)
    await api.sendFrames(0, lengths, 1)
    await api.end(0)
    t.is(digestOf(await received), digestOf(framesOf(lengths)))
    t.deepEqual(await dialled.closed, { code: 'OK' })
    t.deepEqual(await api.ended(0), { code: 'OK', cause: undefined })
  })

  testHalfClose('the module may end first, and still gets what the peer sends', async (t, world) => {
    const { transport, api } = await world.serve('keep', { options: { allowHalfOpen: true } })
    const dialled = await world.connect(transport)
    const received = receiveToEnd(dialled)
    await api.sendFrames(0, [3_000_000, 0, 17], 1)
    await api.end(0)
    t.is(digestOf(await received), digestOf(framesOf([3_000_000, 0, 17])))
    const frames = framesOf([1, 50_000, 3], 50)
    for (const frame of frames) dialled.send(frame)
    // Without buffers of a system between them it leaves only as it is read.
    const [read] = await Promise.all([api.readToEnd(0), dialled.end()])
    t.deepEqual(read, { count: 3, digest: digestOf(frames) })
    t.deepEqual([(await dialled.closed).code, (await api.ended(0)).code], ['OK', 'OK'])
  })

  test('a module that closes lets everything leave', async (t, world) => {
    const { transport, api } = await world.serve('keep')
    const dialled = await world.connect(transport)
    const lengths = [1_000_000, 5, 1_000_000]
    await api.info(0)
    const sending = api.sendFrames(0, lengths, 1)
    const received = receiveToEnd(dialled)
    await sending
    const closing = api.close(0)
    t.is(digestOf(await received), digestOf(framesOf(lengths)))
    t.is((await closing).code, 'OK')
    t.deepEqual(await dialled.closed, { code: 'OK' })
  })

  test('a module that destroys its connection ends it at once', async (t, world) => {
    const { transport, api } = await world.serve('keep')
    const dialled = await world.connect(transport)
    await api.served(1)
    const reading = api.receive(0)
    const read = t.throwsAsync(reading, { code: 'ERR_ABORTED' })
    await api.destroy(0)
    await read
    t.is((await api.ended(0)).code, 'ERR_ABORTED')
    const { code } = await dialled.closed
    t.true(code === 'OK' || code === 'ERR_RESET', code)
  })

  test('what arrived before the peer was destroyed is delivered', async (t, world) => {
    const { transport, api } = await world.serve('keep')
    const dialled = await world.connect(transport)
    for (const word of ['one', 'two']) dialled.send(word)
    // Over shared memory they are pending until the module takes them, and published by then.
    if (subject.memory === 'shared') await turns(2)
    else await until(() => dialled.pendingBytes === 0)
    dialled.destroy()
    await dialled.closed
    t.is(await api.readMany(0, 2), digestOf([Buffer.from('one'), Buffer.from('two')]))
    await api.receive(0).catch(() => undefined)
    const { code } = await api.ended(0)
    t.true(code === 'OK' || code === 'ERR_RESET', code)
  })

  test('many connections carry interleaved traffic, and each gets only its own frames', async (t, world) => {
    const { transport } = await world.serve('echo')
    const connections = await Promise.all(Array.from({ length: 50 }, () => world.connect(transport)))
    const equal = await Promise.all(
      connections.map(async (connection, i) => {
        const random = new Random(i)
        const frames = framesOf(randomLengths(30, 20_000, i), i * 1000)
        const receiving = receiveMany(connection, frames.length)
        for (const frame of frames) {
          await sendAll(connection, [frame])
          if (random.oneIn(3)) await turns()
        }
        return digestOf(await receiving) === digestOf(frames)
      }),
    )
    t.true(equal.every(Boolean))
  })

  for (const size of [64, 32_768]) {
    test(`a flood of ${String(size)} byte frames starves neither others nor the shard`, async (t, world) => {
      const { transport, api } = await world.serve('count')
      const echo = await world.serve('echo')
      const dialled = await world.connect(transport)
      const other = await world.connect(echo.transport)
      const frame = frameOf(size, 1)
      const flooding = new AbortController()
      const flood = (async () => {
        while (!flooding.signal.aborted) {
          while (dialled.pendingBytes < 1_048_576) dialled.send(frame)
          await turns()
        }
      })()
      // The flood never pauses: if it were served until it does, no trip and no call would come back.
      await until(() => dialled.info.bytesSent > 2_097_152)
      const before = (await api.counted()).frames
      for (let i = 0; i < TRIPS; i++) {
        other.send(String(i))
        t.is(String(await other.receive()), String(i))
      }
      t.true((await api.counted()).frames > before)
      flooding.abort()
      await flood
      const { framesSent } = dialled.info
      await dialled.close()
      t.is((await api.ended(0)).code, 'OK')
      t.deepEqual(await api.counted(), { frames: framesSent, bytes: framesSent * size })
    })
  }
}
