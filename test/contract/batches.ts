/** Reading in batches: every frame once and in order, lent for as long as the handler runs. */
import type { FrameBatch } from '../../api/index.js'
import { digestOf, frameOf, framesOf, receiveMany, sendAll } from '../helpers/frames.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { signal, turns } from '../helpers/turns.js'
import type { Contract } from './contract.js'

/** As documented. */
const MOST_FRAMES = 256
const MOST_BYTES = 262_144

export function batchTests({ test }: Contract): void {
  test('a batch shows the same frames in every way, counted, until its handler returns', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const count = 3_000
    const sizes = Array.from({ length: count }, (_, i) => (i % 500 === 0 ? 9_000 : i % 90))
    const frames = framesOf(sizes)
    const done = signal()
    const received: Buffer[] = []
    let kept: FrameBatch | undefined
    accepted.subscribeBatch((batch) => {
      const { bytes, length } = batch
      kept = batch
      const own: Buffer[] = []
      let total = 0
      for (let i = 0; i < length; i++) {
        own.push(batch.copy(i))
        total += batch.size(i)
        const part = bytes.subarray(batch.offset(i), batch.offset(i) + batch.size(i))
        if (!part.equals(batch.frame(i)) || !part.equals(own[i] ?? part)) t.fail('they differ')
      }
      if (digestOf(batch) !== digestOf(own)) t.fail('they differ when it is iterated')
      if (length < 1 || length > MOST_FRAMES || total > MOST_BYTES) t.fail(`${String(length)} frames in one batch`)
      throws(t, () => batch.frame(length), 'ERR_INVALID_OPTION')
      received.push(...own)
      t.is(accepted.info.framesReceived, received.length)
      if (received.length === count) done.resolve()
    })
    await Promise.all([sendAll(dialled, frames), done.promise])
    t.is(digestOf(received), digestOf(frames))
    throws(t, () => kept?.frame(0), 'ERR_INVALID_OPTION')
    t.is(
      accepted.info.bytesReceived,
      frames.reduce((sum, { length }) => sum + length, 0),
    )
  })

  test('a promise holds the next batch back, and the batch is one consumer', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const entered = signal()
    const leave = signal()
    const done = signal()
    const seen: string[] = []
    const stop = accepted.subscribeBatch(async (batch) => {
      for (const frame of batch) seen.push(String(frame))
      entered.resolve()
      await leave.promise
      if (seen.includes('last')) done.resolve()
    })
    dialled.send('first')
    await entered.promise
    const before = [...seen]
    dialled.send('last')
    await turns(5)
    t.deepEqual(seen, before)
    throws(t, () => accepted.subscribeBatch(() => undefined), 'ERR_CONSUMER_BUSY')
    await rejects(t, accepted.receive(), 'ERR_CONSUMER_BUSY')
    leave.resolve()
    await done.promise
    t.deepEqual(seen, ['first', 'last'])
    stop()
    dialled.send('next')
    t.is(String(await accepted.receive()), 'next')
  })

  test('a handler that stops itself has its batch, and reads on from inside it', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = [...Array<number>(40).keys()].map((i) => frameOf(30 + i, i))
    for (const frame of frames) dialled.send(frame)
    const rest = signal<Promise<Buffer[]>>()
    const seen: Buffer[] = []
    const stop = accepted.subscribeBatch((batch) => {
      for (let i = 0; i < batch.length; i++) seen.push(batch.copy(i))
      stop()
      rest.resolve(receiveMany(accepted, frames.length - seen.length))
      // What was read inside it has taken nothing of it away.
      for (let i = 0; i < batch.length; i++) if (!batch.frame(i).equals(seen[i] ?? batch.bytes)) t.fail('it changed')
    })
    seen.push(...(await rest.promise))
    t.is(digestOf(seen), digestOf(frames))
  })

  test('a handler of batches that throws destroys its connection with ERR_HANDLER', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    accepted.subscribeBatch(() => {
      throw new Error('cannot digest')
    })
    dialled.send('poison')
    const { code, cause } = await accepted.closed
    t.is(code, 'ERR_HANDLER')
    t.is((cause?.cause as Error).message, 'cannot digest')
    t.is((await world.takeFailures(1))[0]?.context.where, 'subscriber')
    await dialled.closed
  })
}
