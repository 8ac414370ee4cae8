/** Frames arrive whole, in order, with the bytes that were sent. */
import {
  digestOf,
  frameOf,
  framesOf,
  randomLengths,
  readingWays,
  receiveMany,
  sendAll,
  takeBy,
} from '../helpers/frames.js'
import { signal } from '../helpers/turns.js'
import type { Contract } from './contract.js'

/** Every class: nothing, small, around a new ring's size, a grown ring's, and larger than any ring. */
const SIZES = [0, 1, 64, 1024, 8187, 8188, 8189, 8192, 0, 65_536, 1_048_576, 5_242_880, 3, 0]

export function frameTests({ test }: Contract): void {
  for (const way of readingWays) {
    test(`frames of every size arrive in order, both ways at once, read by ${way}`, async (t, world) => {
      const { dialled, accepted } = await world.pair()
      const there = framesOf(SIZES, 100)
      const back = framesOf(SIZES, 200)
      const [, , atAccepted, atDialled] = await Promise.all([
        sendAll(dialled, there),
        sendAll(accepted, back),
        takeBy(way, accepted, there.length),
        takeBy(way, dialled, back.length),
      ])
      t.deepEqual(
        atAccepted.map((frame) => frame.length),
        SIZES,
      )
      t.true(atAccepted.every((frame, i) => there[i]?.equals(frame)))
      t.true(atDialled.every((frame, i) => back[i]?.equals(frame)))
    })
  }

  test('a long stream of frames of random sizes arrives unchanged', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf(randomLengths(3000, 30_000, 7))
    const [, received] = await Promise.all([sendAll(dialled, frames), receiveMany(accepted, frames.length)])
    t.is(digestOf(received), digestOf(frames))
  })

  test('strings, views and parts travel as the bytes that they stand for', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const wide = new Uint8Array([0, 1, 2, 3, 4, 5])
    dialled.send('grüß Gott, 世界')
    dialled.send('')
    dialled.send([])
    dialled.send(wide.subarray(2, 4))
    dialled.send(['head ', Buffer.from('and '), new Uint8Array(0), 'tail'])
    dialled.send([Buffer.alloc(5000, 1), Buffer.alloc(5000, 2)])
    const frames = await receiveMany(accepted, 6)
    t.deepEqual(frames.slice(0, 3).map(String), ['grüß Gott, 世界', '', ''])
    t.deepEqual([...(frames[3] ?? [])], [2, 3])
    t.is(String(frames[4]), 'head and tail')
    t.true(frames[5]?.equals(Buffer.concat([Buffer.alloc(5000, 1), Buffer.alloc(5000, 2)])))
  })

  test('the bytes are copied before send() returns', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    // Into the ring; past its end; far past it; in parts.
    const sent = [10, 8000, 300_000].flatMap((length) => [frameOf(length, 1), frameOf(length, 2)])
    const expected = sent.map((frame) => Buffer.from(frame))
    for (const [i, frame] of sent.entries()) {
      dialled.send(i % 2 === 0 ? frame : [frame.subarray(0, 7), frame.subarray(7)])
      frame.fill(0xee)
    }
    const received = await receiveMany(accepted, sent.length)
    t.true(received.every((frame, i) => expected[i]?.equals(frame)))
  })

  test("a received frame is the receiver's own: later traffic does not touch it", async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf(Array<number>(200).fill(700))
    const [, received] = await Promise.all([sendAll(dialled, frames), takeBy('subscribe()', accepted, 200)])
    await Promise.all([sendAll(dialled, framesOf(Array<number>(200).fill(700), 500)), receiveMany(accepted, 200)])
    t.is(digestOf(received), digestOf(frames))
    received[0]?.fill(0)
    t.true(received[1]?.equals(frames[1] ?? Buffer.alloc(0)))
  })

  test('a borrowed view can be sent on at once', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf(randomLengths(500, 12_000, 11))
    const queue: Buffer[] = []
    accepted.subscribe(
      (frame) => {
        accepted.send(frame)
        queue.push(Buffer.from(frame))
      },
      { borrow: true },
    )
    const [, echoed] = await Promise.all([sendAll(dialled, frames), receiveMany(dialled, frames.length)])
    t.is(digestOf(echoed), digestOf(frames))
    t.is(digestOf(queue), digestOf(frames))
  })

  test('a borrowed view holds its frame until the handler returns', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf([100, 6000, 6000, 20_000, 100_000, 5])
    const done = signal()
    let count = 0
    let intact = true
    accepted.subscribe(
      (frame) => {
        const expected = frames[count++]
        // The handler sends in between: that writes into other memory.
        accepted.send('noise')
        if (expected?.equals(frame) !== true) intact = false
        if (count === frames.length) done.resolve()
      },
      { borrow: true },
    )
    await sendAll(dialled, frames)
    await done.promise
    t.true(intact)
  })
}
