/** Reading: one consumer at a time, and none loses a frame. */
import type { TransportError } from '../../api/index.js'
import { digestOf, framesOf, receiveMany, sendAll, takeBy } from '../helpers/frames.js'
import { Random } from '../helpers/random.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { signal, turns, until } from '../helpers/turns.js'
import type { Contract } from './contract.js'

export function consumerTests({ test, testIf, transport: subject }: Contract): void {
  test('consumers of different kinds take turns and see every frame once', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const frames = framesOf(Array<number>(12).fill(50))
    await sendAll(dialled, frames)
    const received = [
      ...(await takeBy('for await', accepted, 3)),
      ...(await takeBy('subscribe()', accepted, 3)),
      ...(await takeBy('receive()', accepted, 3)),
      ...(await takeBy('subscribe() with borrow', accepted, 3)),
    ]
    t.true(received.every((frame, i) => frames[i]?.equals(frame)))
    t.is(received.length, 12)
  })

  test('leaving a for await loop does not close the connection', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    for (const word of ['one', 'two', 'three']) dialled.send(word)
    for await (const frame of accepted) {
      t.is(String(frame), 'one')
      break
    }
    await t.throwsAsync(
      async () => {
        for await (const frame of accepted) throw new Error(String(frame))
      },
      { message: 'two' },
    )
    t.is(String(await accepted.receive()), 'three')
    accepted.send('reply')
    t.is(String(await dialled.receive()), 'reply')
  })

  test('the end of the stream ends every way of reading', async (t, world) => {
    const { dialled, accepted } = await world.pair({ accept: { allowHalfOpen: true } })
    dialled.send('last')
    await world.finish(dialled)
    const seen: string[] = []
    for await (const frame of accepted) seen.push(String(frame))
    t.deepEqual(seen, ['last'])
    t.is(await accepted.receive(), undefined)
    t.is(await accepted.receive({ timeoutMs: 1000 }), undefined)
    for await (const frame of accepted) t.fail(String(frame))
    accepted.subscribe((frame) => t.fail(String(frame)))
    await turns(5)
  })

  test('receive() waits for the frame that comes later', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const waiting = accepted.receive()
    await turns(3)
    dialled.send('late')
    t.is(String(await waiting), 'late')
  })

  test('a subscriber that returns a promise gets the next frame once it settles', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const count = 60
    const done = signal()
    const order: number[] = []
    let running = 0
    let overlapped = false
    accepted.subscribe(async (frame) => {
      if (running++ > 0) overlapped = true
      const number = frame.readUInt32LE(0)
      await turns(number % 3)
      order.push(number)
      running--
      if (order.length === count) done.resolve()
    })
    for (let i = 0; i < count; i++) {
      const frame = Buffer.alloc(400)
      frame.writeUInt32LE(i, 0)
      await sendAll(dialled, [frame])
    }
    await done.promise
    t.false(overlapped)
    t.deepEqual(
      order,
      Array.from({ length: count }, (_, i) => i),
    )
  })

  test('a subscription that is stopped while its promise is pending leaves the rest to the next reader', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const entered = signal()
    const leave = signal()
    const seen: string[] = []
    const stop = accepted.subscribe(async (frame) => {
      seen.push(String(frame))
      entered.resolve()
      await leave.promise
    })
    for (const word of ['held', 'next']) dialled.send(word)
    await entered.promise
    stop()
    t.is(String(await accepted.receive()), 'next')
    leave.resolve()
    await turns(2)
    t.deepEqual(seen, ['held'])
    stop()
    dialled.send('free')
    t.is(String(await accepted.receive()), 'free')
  })

  for (const borrow of [false, true]) {
    test(`a subscriber that stops itself can read on from inside its handler, borrow: ${String(borrow)}`, async (t, world) => {
      const { dialled, accepted } = await world.pair()
      const words = ['one', 'twenty', 'three', 'four hundred', 'five']
      for (const word of words) dialled.send(word)
      const rest = signal<Promise<Buffer[]>>()
      const seen: string[] = []
      const stop = accepted.subscribe(
        (frame) => {
          seen.push(String(frame))
          stop()
          rest.resolve(receiveMany(accepted, 4))
        },
        { borrow },
      )
      for (const frame of await rest.promise) seen.push(String(frame))
      t.deepEqual(seen, words)
    })
  }

  for (const [how, handler] of [
    [
      'throws',
      (): void => {
        throw new Error('cannot digest')
      },
    ],
    ['rejects', () => Promise.reject(new Error('cannot digest'))],
  ] as const) {
    test(`a subscriber that ${how} destroys its connection with ERR_HANDLER`, async (t, world) => {
      const { dialled, accepted } = await world.pair()
      accepted.subscribe(handler)
      dialled.send('poison')
      dialled.send('more')
      const { code, cause } = await accepted.closed
      t.is(code, 'ERR_HANDLER')
      t.is((cause?.cause as Error).message, 'cannot digest')
      const { endpoint, id } = accepted.info
      t.deepEqual(await world.takeFailures(1), [
        { error: cause as TransportError, context: { where: 'subscriber', endpoint, connection: id } },
      ])
      throws(t, () => accepted.send('late'), 'ERR_CLOSED')
      await rejects(t, accepted.receive(), 'ERR_HANDLER')
      await dialled.closed
    })
  }

  for (const [how, handler] of [
    [
      'throws',
      (): void => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a host may do
        throw 'a word'
      },
    ],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a host may do
    ['rejects with', () => Promise.reject('a word')],
  ] as const) {
    test(`a subscriber that ${how} something other than an Error has failed too`, async (t, world) => {
      const { dialled, accepted } = await world.pair()
      accepted.subscribe(handler, { borrow: true })
      dialled.send('poison')
      const { code, cause } = await accepted.closed
      t.is(code, 'ERR_HANDLER')
      t.is(cause?.cause, 'a word')
      t.is((await world.takeFailures(1)).length, 1)
      await dialled.closed
    })
  }

  for (const [when, stops] of [
    [
      'in the same call',
      (stop: () => void): void => {
        stop()
      },
    ],
    ['meanwhile', (stop: () => void): void => void setImmediate(stop)],
  ] as const) {
    test(`a subscriber that has ended its subscription ${when} and rejects is reported, and its connection goes on`, async (t, world) => {
      const { dialled, accepted } = await world.pair()
      const told = signal()
      const stop = accepted.subscribe(async () => {
        stops(stop)
        await turns(3)
        told.resolve()
        throw new Error('cannot digest')
      })
      dialled.send('poison')
      dialled.send('more')
      await told.promise
      await turns()
      const [{ error, context } = {}, ...others] = await world.takeFailures(1)
      t.is((error?.cause as Error | undefined)?.message, 'cannot digest')
      t.is(context?.connection, accepted.info.id)
      t.is(others.length, 0)
      t.is(String(await accepted.receive()), 'more')
    })
  }

  test('a reader that follows a subscriber which stopped and then threw sees the end', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const reading = signal<unknown>()
    const stop = accepted.subscribe(() => {
      stop()
      const next = accepted.receive()
      next.catch(() => undefined)
      reading.resolve(next)
      throw new Error('cannot digest')
    })
    dialled.send('poison')
    await rejects(t, reading.promise, 'ERR_HANDLER')
    t.is((await world.takeFailures(1)).length, 1)
    await dialled.closed
  })

  test('a subscriber whose connection has ended under it has not failed', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const taken = signal()
    const go = signal()
    const done = signal()
    accepted.subscribe(async () => {
      taken.resolve()
      await go.promise
      try {
        accepted.send('too late')
      } finally {
        done.resolve()
      }
    })
    dialled.send('a')
    await taken.promise
    accepted.destroy()
    await accepted.closed
    go.resolve()
    await done.promise
    await turns()
    t.deepEqual(await world.takeFailures(), [])
  })

  testIf(subject.halfClose)(
    'a subscriber that replies to what comes while its connection closes does not cut what was sent',
    async (t, world) => {
      const { dialled, accepted } = await world.pair()
      const frames = framesOf([1_000_000, 5])
      for (const frame of frames) accepted.send(frame)
      let refused = 0
      accepted.subscribe((frame) => {
        refused++
        accepted.send(frame)
      })
      const closing = accepted.close()
      dialled.send('a')
      dialled.send('b')
      await until(() => refused === 2)
      t.is(digestOf(await receiveMany(dialled, 2)), digestOf(frames))
      await dialled.close()
      t.is((await closing).code, 'OK')
      t.deepEqual(await world.takeFailures(), [])
    },
  )

  test('a second consumer is refused and the first goes on', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const busy = async (): Promise<void> => {
      await rejects(t, accepted.receive(), 'ERR_CONSUMER_BUSY')
      await rejects(t, accepted[Symbol.asyncIterator]().next(), 'ERR_CONSUMER_BUSY')
      throws(t, () => accepted.subscribe(() => undefined), 'ERR_CONSUMER_BUSY')
    }
    const first = accepted.receive()
    await busy()
    dialled.send('a')
    t.is(String(await first), 'a')

    const loop = accepted[Symbol.asyncIterator]()
    const step = loop.next()
    await busy()
    dialled.send('b')
    t.is(String((await step).value), 'b')
    // Between two steps there is no pending receive(), but the loop still counts.
    await busy()
    await loop.return()

    const seen = signal<string>()
    const stop = accepted.subscribe((frame) => seen.resolve(String(frame)))
    await busy()
    dialled.send('c')
    t.is(await seen.promise, 'c')
    stop()
    dialled.send('d')
    t.is(String(await accepted.receive()), 'd')
  })

  test('receive() that is aborted loses no frame', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const reason = new Error('changed my mind')
    const abort = new AbortController()
    const waiting = accepted.receive({ signal: abort.signal })
    abort.abort(reason)
    t.is((await rejects(t, waiting, 'ERR_ABORTED')).cause, reason)
    await rejects(t, accepted.receive({ signal: abort.signal }), 'ERR_ABORTED')
    t.true((await rejects(t, accepted.receive({ timeoutMs: 1 }), 'ERR_TIMEOUT')).retryable)
    dialled.send('kept')
    t.is(String(await accepted.receive({ signal: new AbortController().signal, timeoutMs: 60_000 })), 'kept')
  })

  test('receive() that is aborted while frames arrive loses none of them', async (t, world) => {
    const { dialled, accepted } = await world.pair()
    const random = new Random(5)
    const received: number[] = []
    let given = 0
    for (let i = 0; i < 150; i++) {
      const abort = new AbortController()
      const waiting = accepted.receive({ signal: abort.signal }).then(
        (frame) => received.push(frame?.readUInt32LE(0) ?? -1),
        () => given++,
      )
      const frame = Buffer.alloc(4)
      frame.writeUInt32LE(i, 0)
      dialled.send(frame)
      await turns(random.below(12))
      abort.abort()
      await waiting
    }
    t.is(received.length + given, 150)
    for (const frame of await receiveMany(accepted, given)) received.push(frame.readUInt32LE(0))
    t.deepEqual(
      received,
      Array.from({ length: 150 }, (_, i) => i),
    )
  })
}
