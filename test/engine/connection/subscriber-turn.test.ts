/** What a subscriber is given in one turn, while it does what a handler may do. */
import test, { type ExecutionContext } from 'ava'
import type { FrameBatch } from '../../../engine/common/connection.js'
import { systemClock } from '../../../engine/protocol/clock.js'
import { KeptFrames } from '../../../engine/reconnect/kept-frames.js'
import { encodeFrame, publishBytes } from '../../helpers/lane-fixture.js'
import { reset, ReceiverRig } from '../../helpers/receiver-rig.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'
import { signal, turns } from '../../helpers/turns.js'

const RING_BYTES = 4096
/** More than a turn may take. */
const LONG_MS = 2

const words = (count: number): string[] => Array.from({ length: count }, (_, i) => `word ${String(i)}`)

function bytesOf(frames: readonly string[]): Buffer {
  return Buffer.concat(frames.map((frame) => encodeFrame(Buffer.from(frame))))
}

for (const borrow of [false, true]) {
  const way = borrow ? 'lent' : 'kept'

  test(`inside a handler the counts and the position are those of its frame (${way})`, (t) => {
    const rig = new ReceiverRig()
    const { receiver } = rig
    const sent = words(20)
    const seen: unknown[] = []
    let bytes = 0
    receiver.consumer.subscribe((frame) => {
      bytes += frame.length
      const { received } = receiver
      seen.push(String(frame))
      t.deepEqual([received.frames, received.bytes], [seen.length, bytes])
    }, borrow)
    rig.say(bytesOf(sent))
    t.deepEqual(seen, sent)
  })

  test(`a handler that ends its subscription among frames that lie together leaves the others (${way})`, async (t) => {
    const rig = new ReceiverRig()
    const { consumer } = rig.receiver
    const seen: string[] = []
    const stop = consumer.subscribe((frame) => {
      if (seen.push(String(frame)) === 2) stop()
    }, borrow)
    rig.say(bytesOf(words(4)))
    t.deepEqual(seen, words(2))
    t.is(String(await consumer.receive({})), 'word 2')
    t.is(rig.receiver.received.frames, 3)
  })

  test(`a handler that ends the stream among frames that lie together gets no other (${way})`, (t) => {
    const rig = new ReceiverRig()
    let calls = 0
    rig.receiver.consumer.subscribe(() => {
      calls++
      rig.receiver.abandon(reset)
    }, borrow)
    rig.say(bytesOf(words(4)))
    t.is(calls, 1)
    t.deepEqual(rig.told, ['exhausted'])
  })

  test(`a handler that throws among frames that lie together gets no other (${way})`, (t) => {
    const rig = new ReceiverRig()
    let calls = 0
    rig.receiver.consumer.subscribe(() => {
      if (++calls === 2) throw new Error('cannot digest')
    }, borrow)
    rig.say(bytesOf(words(4)))
    t.is(calls, 2)
    t.deepEqual(rig.told, ['cannot digest, in time', 'exhausted'])
  })

  test(`a promise among frames that lie together holds the others back (${way})`, async (t) => {
    const rig = new ReceiverRig()
    const held = signal()
    const seen: string[] = []
    rig.receiver.consumer.subscribe((frame) => {
      return seen.push(String(frame)) === 2 ? held.promise : undefined
    }, borrow)
    rig.say(bytesOf(words(4)))
    t.deepEqual(seen, words(2))
    held.resolve()
    await turns(2)
    t.deepEqual(seen, words(4))
  })

  test(`frames go round the ring, whatever lies at its end (${way})`, (t) => {
    const rig = new ReceiverRig()
    const seen: string[] = []
    rig.receiver.consumer.subscribe((frame) => seen.push(String(frame)), borrow)
    const sent = words(2_000)
    goRound(rig, sent)
    t.deepEqual(seen, sent)
    t.is(rig.receiver.received.bytes, sent.join('').length)
  })
}

test('batches go round the ring, whatever lies at its end', (t) => {
  const rig = new ReceiverRig()
  const seen: string[] = []
  rig.receiver.consumer.subscribeBatch((batch) => {
    for (const frame of batch) seen.push(String(frame))
    t.is(rig.receiver.received.frames, seen.length)
  })
  const sent = words(2_000)
  goRound(rig, sent)
  t.deepEqual(seen, sent)
  t.is(rig.receiver.received.bytes, sent.join('').length)
})

test('a batch lies in the ring, except a frame that wraps, and one that is streamed', (t) => {
  const rig = new ReceiverRig()
  const batches: { readonly length: number; readonly memory: unknown; readonly first: string }[] = []
  rig.receiver.consumer.subscribeBatch(({ bytes, length }) => {
    batches.push({ length, memory: bytes.buffer, first: String(bytes.subarray(0, 1)) })
  })
  rig.say(bytesOf(['a'.repeat(500), 'b', 'c'.repeat(600)]))
  rig.say(encodeFrame(Buffer.alloc(3_500, 'd')))
  const { memory } = batches[0] ?? {}
  rig.say(bytesOf(['e'.repeat(200), 'f']))
  t.true(memory instanceof SharedArrayBuffer)
  t.deepEqual(
    batches.map((batch) => [batch.first, batch.length, batch.memory === memory]),
    [
      ['a', 2, true],
      ['c', 1, true],
      ['d', 1, false],
      ['e', 2, true],
    ],
  )
})

test('what is behind a batch waits until its promise has settled', async (t) => {
  const rig = new ReceiverRig()
  const held = signal()
  const seen: string[] = []
  let calls = 0
  rig.receiver.consumer.subscribeBatch((batch) => {
    for (const frame of batch) seen.push(String(frame))
    return calls++ === 0 ? held.promise : undefined
  })
  rig.say(bytesOf(words(3)))
  rig.say(bytesOf(['behind']))
  t.deepEqual(seen, words(3))
  held.resolve()
  await turns(2)
  t.deepEqual(seen, [...words(3), 'behind'])
})

test('a batch is not given back while its handler reads on, and not taken twice', async (t) => {
  const rig = new ReceiverRig()
  const { consumer } = rig.receiver
  const behind = signal<Promise<Buffer | undefined>>()
  const free: number[] = []
  const stop = consumer.subscribeBatch((batch) => {
    stop()
    behind.resolve(consumer.receive({}))
    free.push(rig.producer.refreshFree())
    t.deepEqual([...batch].map(String), words(3))
  })
  publishBytes(rig.producer, bytesOf([...words(3), 'x'.repeat(1_500)]))
  const before = rig.producer.refreshFree()
  rig.receiver.onNotify()
  t.is((await behind.promise)?.length, 1_500)
  t.deepEqual(free, [before])
  t.is(rig.producer.refreshFree(), RING_BYTES)
})

test('what ends the stream behind a batch comes once it was taken', (t) => {
  const rig = new ReceiverRig({ maxFrameBytes: 100 })
  const seen: string[] = []
  rig.receiver.consumer.subscribeBatch((batch) => seen.push(...[...batch].map(String)))
  rig.say(Buffer.concat([bytesOf(words(3)), encodeFrame(Buffer.alloc(101))]))
  t.deepEqual(seen, words(3))
  t.deepEqual(rig.told, ['exhausted', 'ERR_FRAME_TOO_LARGE'])
})

test('an index that no frame of the batch has is refused', (t) => {
  const rig = new ReceiverRig()
  rig.receiver.consumer.subscribeBatch((batch) => {
    for (const index of [3, -1, 0.5, NaN, Infinity]) refuses(t, batch, index)
  })
  rig.say(bytesOf(words(300)))
  rig.say(bytesOf(words(3)))
  t.deepEqual(rig.told, [])
})

test('what is no index leads nowhere, while the frames are lent and afterwards', (t) => {
  const rig = new ReceiverRig()
  let kept: FrameBatch | undefined
  const names = ['length', 'byteLength', 'byteOffset', 'at'] as const
  const refuse = (batch: FrameBatch): void => {
    for (const name of names) refuses(t, batch, name as unknown as number)
  }
  rig.receiver.consumer.subscribeBatch((batch) => {
    kept = batch
    refuse(batch)
    refuse(new KeptFrames(batch, [1]))
  })
  rig.say(bytesOf(words(3)))
  t.deepEqual(rig.told, [])
  if (kept === undefined) t.fail()
  else refuse(kept)
})

test('a handler that goes on with its batch after it has returned fails, however it asks', async (t) => {
  const late = async (ask: (batch: FrameBatch, index: number) => unknown): Promise<void> => {
    const rig = new ReceiverRig()
    const { consumer } = rig.receiver
    let asked = 0
    consumer.subscribeBatch(async (batch) => {
      for (let i = 0; i < batch.length; i++) {
        await turns(1)
        asked++
        ask(batch, i)
      }
    })
    rig.say(bytesOf(words(3)))
    await turns(3)
    t.is(asked, 1)
    t.is(rig.told.length, 2)
    t.regex(rig.told[0] ?? '', /returned.*copy\(\).*, in time/s)
  }
  await late((batch, i) => batch.frame(i))
  await late((batch, i) => batch.copy(i))
  await late((batch, i) => batch.offset(i))
  await late((batch, i) => batch.size(i))
  await late((batch) => [...batch])
})

test.serial('without memory for a copy the stream ends behind those that there was memory for', (t) => {
  const rig = new ReceiverRig()
  const seen: number[] = []
  rig.receiver.consumer.subscribe((frame) => seen.push(frame.length), false)
  publishBytes(rig.producer, Buffer.concat([encodeFrame(Buffer.alloc(5)), encodeFrame(Buffer.alloc(500))]))
  withoutMemory(400, () => rig.receiver.onNotify())
  t.deepEqual(seen, [5])
  t.deepEqual(rig.told, ['exhausted', 'ERR_OUT_OF_MEMORY'])
})

test('a turn ends after its bytes, and the rest comes in the next one', (t) => {
  const rig = new ReceiverRig({ maxFrameBytes: 200_000 }, 2_097_152)
  const sizes: number[][] = []
  rig.receiver.consumer.subscribeBatch((batch) => sizes.push([...batch].map(({ length }) => length)))
  const frame = encodeFrame(Buffer.alloc(100_000))
  publishBytes(rig.producer, Buffer.concat([frame, frame, frame, frame]))
  t.true(rig.receiver.onNotify())
  // Fewer if it took long.
  t.true(sizes.flat().length <= 3)
  while (rig.receiver.onNotify());
  t.is(sizes.flat().length, 4)
  for (const batch of sizes) t.true(batch.length <= 2)
})

test('a turn that takes long ends before what is found next, and with what there is otherwise', (t) => {
  for (const [count, more] of [
    [64, false],
    [65, true],
  ] as const) {
    const rig = new ReceiverRig()
    const seen: string[] = []
    rig.receiver.consumer.subscribe((frame) => {
      if (seen.push(String(frame)) > 1) return
      for (const end = systemClock.now() + LONG_MS; systemClock.now() < end;);
    }, true)
    publishBytes(rig.producer, bytesOf(words(count)))
    t.is(rig.receiver.onNotify(), more)
    t.deepEqual(seen, words(64))
    t.false(rig.receiver.onNotify())
    t.is(seen.length, count)
  }
})

/** Says these in pieces of every size that the ring can hold. */
function goRound(rig: ReceiverRig, frames: readonly string[]): void {
  for (let at = 0, count = 1; at < frames.length; at += count, count = (count % 90) + 1)
    rig.say(bytesOf(frames.slice(at, at + count)))
}

function refuses(t: ExecutionContext, batch: FrameBatch, index: number): void {
  if (index === 3 && batch.length > 3) return
  for (const ask of ['offset', 'size', 'frame', 'copy'] as const)
    t.throws(() => batch[ask](index), { code: 'ERR_INVALID_OPTION' }, `${ask}(${String(index)})`)
}
