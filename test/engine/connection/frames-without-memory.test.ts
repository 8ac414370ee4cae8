/** Connections for whose frames there is no memory: each ends with a code, and nothing is thrown elsewhere. */
import test from 'ava'
import { inState, lane, life } from '../../../engine/protocol/ring-layout.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { encodeFrame, publishBytes } from '../../helpers/lane-fixture.js'
import { LoneConnection } from '../../helpers/lone-connection.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'
import { turns } from '../../helpers/turns.js'

/** The ring has 4096 bytes. */
const LARGE = encodeFrame(Buffer.alloc(60_000, 'x'))
const WRAPS = encodeFrame(Buffer.alloc(1_500, 'y'))

/** The shard lets go, as it was told to. */
async function ended(lone: LoneConnection): Promise<string> {
  lone.store(lane.LIFE, life.CLOSED)
  lone.connection.onNotify()
  return (await lone.connection.closed).code
}

for (const borrow of [false, true]) {
  test.serial(`subscribe(): a frame without memory ends its connection (borrow: ${String(borrow)})`, async (t) => {
    const lone = new LoneConnection()
    const { connection } = lone
    const frames: number[] = []
    connection.subscribe((frame) => void frames.push(frame.length), { borrow })
    publishBytes(lone.producer, encodeFrame(Buffer.from('one')))
    publishBytes(lone.producer, LARGE.subarray(0, 3000))
    withoutMemory(2000, () => connection.onNotify())
    t.deepEqual(frames, [3])
    t.is(await ended(lone), 'ERR_OUT_OF_MEMORY')
    await rejects(t, connection.receive(), 'ERR_CONSUMER_BUSY')
  })
}

test.serial('receive() and for await reject with ERR_OUT_OF_MEMORY, as closed says', async (t) => {
  for (const way of ['receive', 'iterate', 'take'] as const) {
    const lone = new LoneConnection()
    const { connection } = lone
    const first = way === 'iterate' ? connection[Symbol.asyncIterator]().next() : undefined
    const waiting = way === 'receive' ? connection.receive() : undefined
    await turns(1)
    publishBytes(lone.producer, LARGE.subarray(0, 3000))
    withoutMemory(2000, () => {
      connection.onNotify()
      if (way === 'take') t.is(connection.take(), undefined)
    })
    if (first !== undefined) t.is((await rejects(t, first, 'ERR_OUT_OF_MEMORY')).endpoint, 'memory:x')
    if (waiting !== undefined) await rejects(t, waiting, 'ERR_OUT_OF_MEMORY')
    t.is(await ended(lone), 'ERR_OUT_OF_MEMORY')
    await rejects(t, connection.receive(), 'ERR_OUT_OF_MEMORY')
  }
})

test.serial(
  'a whole frame for which there is no copy, or that wraps and cannot be lent, ends its connection',
  async (t) => {
    for (const borrow of [false, true]) {
      const lone = new LoneConnection()
      const { connection } = lone
      let count = 0
      const stop = connection.subscribe(() => count++, { borrow })
      for (let i = 0; i < 3; i++) {
        publishBytes(lone.producer, WRAPS)
        if (i < 2) connection.onNotify()
      }
      withoutMemory(1000, () => connection.onNotify())
      stop()
      t.is(count, 2)
      t.is(await ended(lone), 'ERR_OUT_OF_MEMORY')
    }
  },
)

test.serial('unread bytes that there is no memory to keep are reported, and the lane is given back', async (t) => {
  for (const [ends, code] of [
    [true, 'ERR_OUT_OF_MEMORY'],
    [false, 'ERR_RESET'],
  ] as const) {
    const lone = new LoneConnection()
    const { connection } = lone
    publishBytes(lone.producer, encodeFrame(Buffer.from('unread')))
    if (ends) lone.store(lane.IN_STATE, inState.ENDED)
    lone.store(lane.LIFE, life.CLOSED)
    // The lane is given back by the last of it: twice would throw.
    withoutMemory(1, () => connection.onNotify())
    t.is((await connection.closed).code, code)
    await rejects(t, connection.receive(), 'ERR_OUT_OF_MEMORY')
  }
})

test.serial('send() without memory throws, and what was sent before and is sent after is whole', async (t) => {
  const lone = new LoneConnection()
  const { connection, consumer } = lone
  connection.send('before')
  const large = 'z'.repeat(100_000)
  withoutMemory(50_000, () => {
    for (const frame of [large, [large, 'x']]) {
      const error = throws(t, () => connection.send(frame), 'ERR_OUT_OF_MEMORY')
      t.is(error.endpoint, 'memory:x')
      t.true(error.retryable)
    }
  })
  const mine = Buffer.alloc(100_000, 'm')
  withoutMemory(50_000, () => throws(t, () => connection.send(mine), 'ERR_OUT_OF_MEMORY'))
  t.is(connection.info.framesSent, 1)
  connection.send('after')
  await turns(1)
  const bytes = Buffer.alloc(consumer.refresh())
  consumer.read(bytes, 0, bytes.length)
  t.deepEqual(bytes, Buffer.concat([encodeFrame(Buffer.from('before')), encodeFrame(Buffer.from('after'))]))
})

test.serial(
  'frames that were not sent and cannot be kept are counted as lost, and the connection ends as it did',
  async (t) => {
    const lone = new LoneConnection({ tracking: { retainBytes: 0 } })
    const { connection } = lone
    for (let i = 0; i < 5; i++) connection.send(Buffer.alloc(1000, i))
    await turns(1)
    const { consumer } = lone
    consumer.refresh()
    consumer.consume(1004)
    consumer.release()
    lone.store(lane.OUT_SENT, 1004)
    lone.store(lane.LIFE, life.CLOSED)
    withoutMemory(1000, () => connection.onNotify())
    t.deepEqual(await connection.delivery, { handedOver: 1, retained: [], unconfirmed: [], unsent: [], lost: 4 })
    t.is((await connection.closed).code, 'ERR_RESET')
  },
)

test.serial('a frame whose beginning cannot be kept is lost alone, and not at all once it has left', async (t) => {
  for (const leaves of [true, false]) {
    const lone = new LoneConnection({ tracking: { retainBytes: 0 } })
    const { connection, consumer } = lone
    for (const byte of ['a', 'b', 'c']) connection.send(Buffer.alloc(1000, byte))
    await turns(1)
    const passes = (bytes: number): void => {
      consumer.refresh()
      consumer.consume(bytes)
      consumer.release()
      lone.store(lane.OUT_SENT, consumer.head)
    }
    passes(500)
    withoutMemory(1000, () => t.is(connection.pendingBytes, 3012 - 500))
    if (leaves) passes(600)
    lone.store(lane.LIFE, life.CLOSED)
    connection.onNotify()
    const { handedOver, unsent, lost } = await connection.delivery
    t.deepEqual([handedOver, lost], leaves ? [1, 0] : [0, 1])
    t.deepEqual(
      unsent.map((frame) => frame.toString('latin1', 0, 1)),
      ['b', 'c'],
    )
    t.true(unsent.every((frame) => frame.length === 1000 && frame.every((byte) => byte === frame[0])))
  }
})

test.serial('so many small frames that their sizes have no memory are refused before they are taken', async (t) => {
  const lone = new LoneConnection({ tracking: { retainBytes: 0 } })
  const { connection } = lone
  for (let i = 0; i < 64; i++) connection.send('x')
  withoutMemory(512, () => throws(t, () => connection.send('x'), 'ERR_OUT_OF_MEMORY'))
  t.is(connection.info.framesSent, 64)
  t.is(connection.pendingBytes, 64 * 5)
  connection.send('x')
  await turns(1)
  t.is(lone.consumer.refresh(), 65 * 5)
})
