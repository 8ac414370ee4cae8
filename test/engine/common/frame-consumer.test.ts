/** One consumer at a time: who it is, what it is given, and how it makes way for the next. */
import test from 'ava'
import {
  FrameConsumer,
  transition,
  type ConsumerState,
  type ConsumerStep,
  type FrameSource,
  type StreamOutcome,
} from '../../../engine/common/frame-consumer.js'
import { systemClock } from '../../../engine/protocol/clock.js'
import { Waiter } from '../../../engine/protocol/waiter.js'
import { signal } from '../../helpers/turns.js'

const nothing = (): void => undefined

const none: ConsumerState = { kind: 'none' }
const iterating = { kind: 'iterating' } as const
const subscribed = { kind: 'subscribed', takes: 'copies', handler: nothing } as const
const held = { kind: 'held', subscription: subscribed, pending: Promise.resolve() } as const

function waitingOf(isIterating: boolean): ConsumerState & ConsumerStep {
  const waiter = new Waiter<Buffer | undefined>('receiving', 'memory:x', {}, systemClock, nothing)
  return { kind: 'waiting', waiter, iterating: isIterating }
}

/** A stream whose frames and outcome the test sets. */
class Source implements FrameSource {
  readonly frames: Buffer[] = []
  readonly log: string[] = []
  outcome: StreamOutcome | undefined
  readonly consumer = new FrameConsumer('memory:x', systemClock, this, {
    isOfTheEnd: (cause) => cause === 'the end',
    onStrayFailure: (cause) => {
      this.log.push(`stray: ${String(cause)}`)
    },
  })

  next(): Buffer | undefined {
    return this.frames.shift()
  }

  onReading(): void {
    this.log.push('reading')
  }

  onStopped(): void {
    this.log.push('stopped')
  }

  tend(): void {
    this.log.push('tend')
  }

  onHandlerFailed(cause: unknown): void {
    this.log.push(`failed: ${String(cause)}`)
  }
}

test('a consumer comes where there is none', (t) => {
  const single = waitingOf(false)
  for (const step of [iterating, subscribed, single]) {
    t.is(transition(none, step), step)
    for (const state of [iterating, single, subscribed, held]) t.is(transition(state, step), undefined)
  }
})

test('a step of a loop waits, and ends where the loop is', (t) => {
  const step = waitingOf(true)
  t.is(transition(iterating, step), step)
  for (const state of [none, step, subscribed, held]) t.is(transition(state, step), undefined)
  t.deepEqual(transition(step, { kind: 'served' }), iterating)
  t.deepEqual(transition(waitingOf(false), { kind: 'served' }), none)
})

test('a subscriber is held by a promise of its own alone, and resumes as the same one', (t) => {
  t.is(transition(subscribed, held), held)
  for (const state of [none, iterating, held, { ...subscribed }]) t.is(transition(state, held), undefined)
  t.is(transition(held, { kind: 'resumed' }), subscribed)
  for (const state of [none, iterating, subscribed]) t.is(transition(state, { kind: 'resumed' }), undefined)
})

test('a loop and a subscriber can leave; a wait ends otherwise', (t) => {
  for (const state of [iterating, subscribed, held]) t.deepEqual(transition(state, { kind: 'left' }), none)
  for (const state of [none, waitingOf(false)]) t.is(transition(state, { kind: 'left' }), undefined)
  for (const state of [none, iterating, subscribed, held]) t.is(transition(state, { kind: 'served' }), undefined)
})

test('who receives gets what is there, else what comes, else the outcome', async (t) => {
  const source = new Source()
  const { consumer } = source
  source.frames.push(Buffer.from('a'))
  t.is(String(await consumer.receive({})), 'a')
  t.deepEqual(source.log, [])
  const next = consumer.receive({})
  t.deepEqual(source.log, ['reading'])
  t.throws(() => consumer.take(), { code: 'ERR_CONSUMER_BUSY' })
  t.throws(() => consumer.subscribe(nothing, false), { code: 'ERR_CONSUMER_BUSY' })
  t.throws(() => consumer.subscribeBatch(nothing), { code: 'ERR_CONSUMER_BUSY' })
  await t.throwsAsync(consumer.receive({}), { code: 'ERR_CONSUMER_BUSY' })
  await t.throwsAsync(consumer.iterate().next(), { code: 'ERR_CONSUMER_BUSY' })
  consumer.serve(Buffer.from('b'))
  t.is(String(await next), 'b')
  const last = consumer.receive({})
  source.outcome = { kind: 'ended' }
  consumer.finish(source.outcome)
  t.is(await last, undefined)
  t.is(await consumer.receive({}), undefined)
  source.outcome = { kind: 'failed', error: new Error('broken') }
  await t.throwsAsync(consumer.receive({}), { message: 'broken' })
})

test('a wait that is given up makes way for another consumer', async (t) => {
  const source = new Source()
  const abort = new AbortController()
  const given = source.consumer.receive({ signal: abort.signal })
  abort.abort('enough')
  await t.throwsAsync(given, { code: 'ERR_ABORTED' })
  t.deepEqual(source.log, ['reading', 'stopped'])
  // Aborted before: what is there stays for the next.
  source.frames.push(Buffer.from('a'))
  await t.throwsAsync(source.consumer.receive({ signal: abort.signal }), { code: 'ERR_ABORTED' })
  t.is(String(source.consumer.take()), 'a')
  t.is(source.consumer.take(), undefined)
})

test('a loop keeps others out between its steps, until it is left', async (t) => {
  const source = new Source()
  const { consumer } = source
  source.frames.push(Buffer.from('a'), Buffer.from('b'))
  for await (const frame of consumer.iterate()) {
    t.is(String(frame), 'a')
    await t.throwsAsync(consumer.receive({}), { code: 'ERR_CONSUMER_BUSY' })
    break
  }
  t.is(String(await consumer.receive({})), 'b')
})

test('a subscriber that returns a promise is held until that settles', async (t) => {
  const source = new Source()
  const { consumer } = source
  const stop = consumer.subscribe(nothing, true)
  const subscription = consumer.state
  if (subscription.kind !== 'subscribed') return t.fail()
  t.is(subscription.takes, 'views')
  const work = signal()
  const done = consumer.hold(subscription, work.promise)
  t.is(consumer.state.kind, 'held')
  work.resolve()
  await done
  t.is(consumer.state, subscription)
  stop()
  stop()
  t.is(consumer.state.kind, 'none')
  return undefined
})

test('a promise outlives its subscription: the handler is at work, and its failure is a stray one', async (t) => {
  const source = new Source()
  const { consumer } = source
  const held = new Error('held')
  const ended = new Error('ended')
  const late = signal<undefined>()
  const stopFirst = consumer.subscribe(nothing, false)
  const first = consumer.state
  if (first.kind !== 'subscribed') return t.fail()
  const done = consumer.hold(
    first,
    late.promise.then(() => Promise.reject(held)),
  )
  stopFirst()
  t.deepEqual(source.log.splice(0), ['reading', 'tend', 'stopped'])
  // It ended its subscription in the call that returned the promise.
  await consumer.hold(first, Promise.reject(ended))
  t.deepEqual(source.log.splice(0), ['tend', `stray: ${String(ended)}`])
  consumer.subscribe(nothing, false)
  late.resolve(undefined)
  await done
  t.deepEqual(source.log.splice(0), ['reading', `stray: ${String(held)}`])
  t.is(consumer.state.kind, 'subscribed')
  return undefined
})

test('a subscriber that fails gets no more; one that fails of the end goes on', async (t) => {
  const source = new Source()
  const { consumer } = source
  consumer.subscribe(nothing, false)
  const subscription = consumer.state
  if (subscription.kind !== 'subscribed') return t.fail()
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a handler throws is its own affair
  await consumer.hold(subscription, Promise.reject('the end'))
  t.is(consumer.state, subscription)
  t.deepEqual(source.log.splice(0), ['reading', 'reading'])
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as above
  await consumer.hold(subscription, Promise.reject('a mistake'))
  t.is(consumer.state.kind, 'none')
  t.deepEqual(source.log.splice(0), ['failed: a mistake'])
  consumer.subscribe(nothing, false)
  const next = consumer.state
  consumer.fail('too late', subscription)
  t.is(consumer.state, next)
  return undefined
})

test('work is waited for as far as it is known by then', async (t) => {
  const { consumer } = new Source()
  t.is(consumer.worked(), undefined)
  const first = signal()
  const second = signal()
  consumer.atWork(first.promise)
  const done = consumer.worked()
  consumer.atWork(second.promise)
  first.resolve()
  await done
  t.not(consumer.worked(), undefined)
  second.resolve()
  await consumer.worked()
  t.is(consumer.worked(), undefined)
})
