/** Backpressure from end to end, and many connections beside each other. */
import type { Connection } from '../../api/index.js'
import { digestOf, frameOf, framesOf, randomLengths, receiveMany, sendAll } from '../helpers/frames.js'
import { byLength } from '../helpers/length.js'
import { Random } from '../helpers/random.js'
import { turns } from '../helpers/turns.js'
import type { Contract } from './contract.js'

const RING_BYTES = 32_768
/** More than both rings and any kernel's socket buffers hold together. */
const FLOOD_BYTES = byLength({ short: 4_194_304, long: 16_777_216 })
const FRAME_BYTES = 8192

/**
 * Resolves once `progress()` has stood still while some round trips went through another connection of the same
 * shard: a wait for events instead of for time. Too early an answer fails no assertion that follows.
 */
async function standstill(progress: () => number, other: { from: Connection; to: Connection }): Promise<void> {
  const stop = other.to.subscribe((frame) => other.to.send(frame), { borrow: true })
  let before = -1
  while (before !== progress()) {
    before = progress()
    for (let i = 0; i < 100; i++) {
      other.from.send('ping')
      await other.from.receive()
    }
  }
  stop()
}

export function flowTests({ test, transport: subject }: Contract): void {
  test('a receiver that does not read stops the sender, and nothing is lost', async (t, world) => {
    const { dialled, accepted } = await world.pair({ maxRingBytes: RING_BYTES })
    const other = await world.pair({ maxRingBytes: RING_BYTES })
    const frames = framesOf(Array<number>(FLOOD_BYTES / FRAME_BYTES).fill(FRAME_BYTES))
    let sentAll = false
    let refusals = 0
    let waiting = false
    const sending = (async () => {
      for (const frame of frames) {
        if (dialled.send(frame)) continue
        refusals++
        waiting = true
        await dialled.ready()
        waiting = false
      }
      sentAll = true
    })()
    await standstill(() => dialled.info.framesSent, { from: other.dialled, to: other.accepted })
    t.false(sentAll)
    t.true(refusals > 0)
    t.true(waiting, 'ready() is pending')
    t.true(dialled.info.bytesSent < FLOOD_BYTES / 2)
    t.true(dialled.pendingBytes <= RING_BYTES + FRAME_BYTES + 8, String(dialled.pendingBytes))
    t.true(dialled.pendingBytes > 0)
    const received = await receiveMany(accepted, frames.length)
    await sending
    t.is(digestOf(received), digestOf(frames))
  })

  test('a subscriber that is slow to settle stops the sender, and nothing is lost', async (t, world) => {
    const { dialled, accepted } = await world.pair({ maxRingBytes: RING_BYTES })
    const other = await world.pair({ maxRingBytes: RING_BYTES })
    const frames = framesOf(Array<number>(FLOOD_BYTES / FRAME_BYTES).fill(FRAME_BYTES))
    const sending = sendAll(dialled, frames)
    const received: Buffer[] = []
    let release: (() => void) | undefined
    accepted.subscribe(
      (frame) => {
        received.push(Buffer.from(frame))
        if (received.length > 1) return
        return new Promise<void>((resolve) => {
          release = resolve
        })
      },
      { borrow: true },
    )
    await standstill(() => dialled.info.framesSent, { from: other.dialled, to: other.accepted })
    t.is(received.length, 1)
    t.true(dialled.info.bytesSent < FLOOD_BYTES / 2)
    release?.()
    await sending
    await world.finish(dialled)
    await accepted.closed
    t.is(digestOf(received), digestOf(frames))
  })

  test('a connection without a reader does not delay others', async (t, world) => {
    const stuck = await world.pair({ maxRingBytes: RING_BYTES })
    const frame = frameOf(FRAME_BYTES, 1)
    while (stuck.dialled.send(frame));
    const { dialled, accepted } = await world.pair({ maxRingBytes: RING_BYTES })
    const frames = framesOf(Array<number>(300).fill(FRAME_BYTES))
    const [, received] = await Promise.all([sendAll(dialled, frames), receiveMany(accepted, frames.length)])
    t.is(digestOf(received), digestOf(frames))
  })

  const crowd = subject.costly === true ? 8 : 50
  test(`${String(crowd)} connections carry interleaved traffic, and each gets only its own frames`, async (t, world) => {
    const transport = await world.transport()
    await world.listen(transport, (connection) => {
      connection.subscribe((frame) => connection.send(frame), { borrow: true })
    })
    const connections = await Promise.all(Array.from({ length: crowd }, () => world.connect(transport)))
    t.is(new Set(connections.map((connection) => connection.info.id)).size, crowd)
    const equal = await Promise.all(
      connections.map(async (connection, i) => {
        const random = new Random(i)
        const frames = framesOf(randomLengths(30, 20_000, i), i * 1000)
        const echoes: Buffer[] = []
        const receiving = receiveMany(connection, frames.length).then((all) => echoes.push(...all))
        for (const frame of frames) {
          await sendAll(connection, [frame])
          if (random.oneIn(3)) await turns()
        }
        await receiving
        return digestOf(echoes) === digestOf(frames)
      }),
    )
    t.true(equal.every(Boolean))
    t.deepEqual(
      (await Promise.all(connections.map((connection) => connection.close()))).map(({ code }) => code),
      connections.map(() => 'OK'),
    )
  })

  test('a flood on one connection lets the host and the other connections have their turns', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const other = await world.pair()
    const flooding = new AbortController()
    let received = 0
    accepted.subscribe(() => received++, { borrow: true })
    const frame = frameOf(64, 1)
    const flood = (async () => {
      while (!flooding.signal.aborted) {
        for (let i = 0; i < 2000 && dialled.send(frame); i++);
        await Promise.race([dialled.ready(), turns()])
      }
    })()
    other.accepted.subscribe((request) => other.accepted.send(request))
    for (let i = 0; i < 50; i++) {
      other.dialled.send(String(i))
      t.is(String(await other.dialled.receive()), String(i))
    }
    flooding.abort()
    await flood
    await world.finish(dialled)
    await accepted.closed
    t.is(received, dialled.info.framesSent)
  })
}
