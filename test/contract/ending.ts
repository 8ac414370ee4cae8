/** How connections end, and what is known and readable afterwards. */
import { TransportError, type Connection } from '../../api/index.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { digestOf, framesOf, receiveMany, receiveToEnd, sendAll } from '../helpers/frames.js'
import { turns, until } from '../helpers/turns.js'
import type { Contract } from './contract.js'

const halfOpen = { allowHalfOpen: true }

export function endingTests({ test, testIf, transport: subject }: Contract): void {
  const testHalfClose = testIf(subject.halfClose)
  const { cleanEnd: clean = { code: 'OK' } } = subject

  testHalfClose('end() closes one direction: a half-open peer still replies', async (t, world) => {
    const { dialled, accepted } = await world.pair({ accept: halfOpen })
    dialled.send('question')
    await Promise.all([dialled.end(), dialled.end()])
    t.deepEqual((await receiveToEnd(accepted)).map(String), ['question'])
    const answers = framesOf([5, 100_000, 7])
    await Promise.all([
      sendAll(accepted, answers).then(() => accepted.end()),
      receiveToEnd(dialled).then((frames) => t.is(digestOf(frames), digestOf(answers))),
    ])
    t.deepEqual(await Promise.all([dialled.closed, accepted.closed]), [clean, { code: 'OK' }])
  })

  testHalfClose('without allowHalfOpen our side ends after everything is read and sent', async (t, world) => {
    const { dialled, accepted } = await world.pair({ dial: halfOpen })
    const there = framesOf([1, 50_000, 3])
    const back = framesOf([200_000, 2, 400_000], 50)
    for (const frame of there) dialled.send(frame)
    const ending = dialled.end()
    // More than the ring holds, sent before the end is noticed: it still leaves.
    for (const frame of back) accepted.send(frame)
    const [read, replied] = await Promise.all([receiveToEnd(accepted), receiveToEnd(dialled)])
    await ending
    t.is(digestOf(read), digestOf(there))
    t.is(digestOf(replied), digestOf(back))
    t.deepEqual(await Promise.all([dialled.closed, accepted.closed]), [clean, { code: 'OK' }])
    throws(t, () => accepted.send('late'), 'ERR_CLOSED')
  })

  test("a side that does not read notices the peer's end", async (t, world) => {
    const { dialled, accepted } = await world.pair()
    await world.finish(dialled)
    t.deepEqual(await Promise.all([dialled.closed, accepted.closed]), [clean, { code: 'OK' }])
    t.is(await accepted.receive(), undefined)
  })

  testHalfClose('a half-open side that does not read stays open after the peer has ended', async (t, world) => {
    const { dialled, accepted } = await world.pair({ accept: halfOpen })
    await dialled.end()
    t.is(await accepted.receive(), undefined)
    accepted.send('still here')
    t.is(String(await dialled.receive()), 'still here')
    t.true(accepted.send('and here'))
    await accepted.end()
    t.deepEqual((await receiveToEnd(dialled)).map(String), ['and here'])
    t.deepEqual(await Promise.all([dialled.closed, accepted.closed]), [clean, { code: 'OK' }])
  })

  testIf(!subject.halfClose)(
    'without half-close end() lets everything leave, and replies still arrive until close()',
    async (t, world) => {
      const { dialled, accepted } = await world.pair()
      const questions = framesOf([5, 1_000_000, 7])
      for (const frame of questions) dialled.send(frame)
      const [read] = await Promise.all([receiveMany(accepted, 3), dialled.end(), dialled.end()])
      t.is(digestOf(read), digestOf(questions))
      t.is(dialled.pendingBytes, 0)
      throws(t, () => dialled.send('late'), 'ERR_CLOSED')
      const answers = framesOf([3, 1_000_000, 9])
      const [replied] = await Promise.all([receiveMany(dialled, 3), sendAll(accepted, answers)])
      t.is(digestOf(replied), digestOf(answers))
      const end = receiveToEnd(accepted)
      t.deepEqual(await dialled.close(), { code: 'OK' })
      t.deepEqual(await end, [])
      t.deepEqual(await accepted.closed, { code: 'OK' })
      throws(t, () => accepted.send('late'), 'ERR_CLOSED')
    },
  )

  testIf(!subject.halfClose)(
    'without half-close close() ends both directions, however little the peer does',
    async (t, world) => {
      const { dialled, accepted } = await world.pair({ accept: halfOpen })
      t.deepEqual(await dialled.close(), { code: 'OK' })
      t.is(await accepted.receive(), undefined)
      accepted.send('this is not read')
      const { code } = await accepted.close()
      t.true(code === 'OK' || code === 'ERR_RESET', code)
    },
  )

  test('end() lets everything leave, however much it is', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf([3_000_000, 0, 3_000_000, 17])
    for (const frame of frames) dialled.send(frame)
    const [read] = await Promise.all([receiveToEnd(accepted), world.finish(dialled)])
    t.is(digestOf(read), digestOf(frames))
  })

  test('close() lets everything leave and ends both sides with OK', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf([1_000_000, 5, 1_000_000])
    for (const frame of frames) dialled.send(frame)
    const [read, first, second] = await Promise.all([receiveToEnd(accepted), dialled.close(), dialled.close()])
    t.is(digestOf(read), digestOf(frames))
    t.deepEqual([first, second], [clean, clean])
    t.deepEqual(await accepted.closed, { code: 'OK' })
    t.is(dialled.pendingBytes, 0)
    t.deepEqual(await dialled.close(), clean, 'closing a closed connection changes nothing')
    dialled.destroy()
    t.deepEqual(await dialled.closed, clean)
    await dialled.end()
  })

  testHalfClose('both sides can close at the same time', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    dialled.send('there')
    accepted.send('back')
    const [one, other, read, replied] = await Promise.all([
      dialled.close(),
      accepted.close(),
      receiveToEnd(accepted),
      receiveToEnd(dialled),
    ])
    t.deepEqual([one, other], [clean, { code: 'OK' }])
    t.deepEqual([...read, ...replied].map(String), ['there', 'back'])
  })

  testIf(subject.halfClose && subject.endsProcess !== true)(
    'close() is bounded by closeTimeoutMs when the peer does not end',
    async (t, world) => {
      const { dialled, accepted } = await world.pair({ dial: { closeTimeoutMs: 5 }, accept: halfOpen })
      const { code, cause } = await dialled.close()
      t.is(code, 'ERR_TIMEOUT')
      t.true(cause instanceof TransportError)
      accepted.destroy()
      await accepted.closed
    },
  )

  test('destroy() ends at once, and closed has the reason', async (t, world) => {
    const own = new TransportError('ERR_REFUSED', 'we do not like you')
    const foreign = new Error('out of patience')
    const reasons = [
      [own, 'ERR_REFUSED'],
      [foreign, 'ERR_ABORTED'],
      [undefined, 'ERR_ABORTED'],
    ] as const
    for (const [reason, code] of reasons) {
      const { dialled, accepted } = await world.pair()
      const receiving = rejects(t, dialled.receive(), code)
      dialled.destroy(reason)
      dialled.destroy(new Error('a second reason changes nothing'))
      await receiving
      const closed = await dialled.closed
      t.is(closed.code, code)
      if (reason === own) t.is(closed.cause, own)
      if (reason === foreign) t.is(closed.cause?.cause, foreign)
      await rejects(t, dialled.receive(), code)
      t.is(dialled.pendingBytes, 0)
      const peer = await accepted.closed
      t.true(peer.code === 'OK' || peer.code === 'ERR_RESET', peer.code)
    }
  })

  test('destroy() from inside a subscriber stops the frames at once', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    let seen = 0
    accepted.subscribe(() => {
      seen++
      accepted.destroy()
    })
    for (let i = 0; i < 50; i++) dialled.send('again')
    t.is((await accepted.closed).code, 'ERR_ABORTED')
    await turns(3)
    t.is(seen, 1)
    await dialled.closed
  })

  test('what arrived before the peer was destroyed is delivered', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    for (const word of ['one', 'two']) dialled.send(word)
    // Over shared memory they have left with the turn, and are pending until the peer takes them.
    if (subject.memory === 'shared') await turns(2)
    else await until(() => dialled.pendingBytes === 0)
    dialled.destroy()
    await dialled.closed
    t.deepEqual((await receiveMany(accepted, 2)).map(String), ['one', 'two'])
    const end = await accepted.receive().catch((error: unknown) => (error as TransportError).code)
    t.true(end === undefined || end === 'ERR_RESET', String(end))
    const { code } = await accepted.closed
    t.is(code, end === undefined ? 'OK' : 'ERR_RESET')
  })

  testHalfClose('a peer that has ended and is then destroyed has ended cleanly', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    dialled.send('last')
    await dialled.end()
    dialled.destroy()
    t.deepEqual((await receiveToEnd(accepted)).map(String), ['last'])
    t.deepEqual(await accepted.closed, { code: 'OK' })
  })

  testHalfClose('frames that were received stay readable after closed', async (t, world) => {
    const { dialled, accepted } = await world.pair({ dial: halfOpen })
    await accepted.end()
    t.is(await dialled.receive(), undefined)
    const frames = framesOf([10, 2000, 0, 30])
    for (const frame of frames) dialled.send(frame)
    await dialled.end()
    t.deepEqual(await accepted.closed, { code: 'OK' })
    t.deepEqual(await dialled.closed, clean)
    const first = await receiveMany(accepted, 1)
    const rest = await receiveToEnd(accepted)
    t.is(digestOf([...first, ...rest]), digestOf(frames))
    t.is(await accepted.receive(), undefined)
    t.is(accepted.info.framesReceived, 4)
  })

  testHalfClose('a subscriber that comes after closed gets the frames that were received', async (t, world) => {
    const { dialled, accepted } = await world.pair({ dial: halfOpen })
    await accepted.end()
    t.is(await dialled.receive(), undefined)
    for (const word of ['one', 'two', 'three']) dialled.send(word)
    await dialled.end()
    await accepted.closed
    const seen: string[] = []
    accepted.subscribe((frame) => seen.push(String(frame)), { borrow: true })
    await until(() => seen.length === 3)
    t.deepEqual(seen, ['one', 'two', 'three'])
  })

  testHalfClose(
    'a subscriber that holds a frame while the connection closes gets the rest afterwards',
    async (t, world) => {
      const { dialled, accepted } = await world.pair({ dial: halfOpen })
      await accepted.end()
      const seen: string[] = []
      accepted.subscribe(async (frame) => {
        seen.push(String(frame))
        if (seen.length === 1) await accepted.closed
      })
      for (const word of ['one', 'two', 'three']) dialled.send(word)
      await dialled.end()
      await until(() => seen.length === 3)
      t.deepEqual(seen, ['one', 'two', 'three'])
      t.deepEqual(await accepted.closed, { code: 'OK' })
    },
  )

  test('connections and listeners can be disposed of', async (t, world) => {
    const { dialled, accepted, listener } = await world.pairAndListener()
    const dispose = async (thing: AsyncDisposable): Promise<void> => {
      await thing[Symbol.asyncDispose]()
    }
    await dispose(dialled)
    await dispose(listener)
    const ends = await Promise.all([dialled, accepted].map((connection: Connection) => connection.closed))
    t.deepEqual(ends, [clean, { code: 'OK' }])
    t.deepEqual(await listener.closed, { code: 'OK' })
  })
}
