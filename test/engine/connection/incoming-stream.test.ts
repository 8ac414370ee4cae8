/** How a stream of incoming frames ends: every state, and what each step makes of it. */
import test from 'ava'
import {
  IncomingStream,
  transition,
  type StreamEvents,
  type StreamState,
  type StreamStep,
} from '../../../engine/connection/incoming-stream.js'
import { TransportError } from '../../../engine/protocol/errors.js'

const first = new TransportError('ERR_TRUNCATED', 'first')
const second = new TransportError('ERR_EXIT', 'second')
const failure = undefined

const open: StreamState = { kind: 'open' }
const ended: StreamState = { kind: 'ended' }
const failed: StreamState = { kind: 'failed', error: first }
const detached: StreamStep = { kind: 'detached', failure }
const concluded: StreamStep = { kind: 'concluded', failure: second }

test('a stream ends behind its last frame, cleanly or not', (t) => {
  t.deepEqual(transition(open, { kind: 'exhausted', failure, isConclusive: true }), ended)
  t.deepEqual(transition(open, { kind: 'exhausted', failure: first, isConclusive: true }), failed)
  t.deepEqual(transition(open, { kind: 'failed', error: first }), failed)
})

test('what is unread when I/O is over comes before the failure', (t) => {
  const rest = transition(open, { kind: 'detached', failure: first })
  t.deepEqual(rest, { kind: 'rest', failure: first })
  t.deepEqual(transition(rest, detached), rest)
  t.deepEqual(transition(rest, { kind: 'exhausted', failure: first, isConclusive: true }), failed)
  t.deepEqual(transition(rest, { kind: 'failed', error: second }), { kind: 'failed', error: second })
})

test('the end of a process says how its stream has ended, before or after all was read', (t) => {
  const inconclusive = transition(open, { kind: 'exhausted', failure: first, isConclusive: false })
  t.deepEqual(inconclusive, { kind: 'inconclusive', failure: first })
  t.is(transition(inconclusive, detached), inconclusive)
  t.is(transition(inconclusive, { kind: 'exhausted', failure: second, isConclusive: true }), inconclusive)
  t.deepEqual(transition(inconclusive, { kind: 'concluded', failure }), ended)
  t.deepEqual(transition(inconclusive, concluded), { kind: 'failed', error: second })
  t.deepEqual(transition(transition(open, detached), concluded), { kind: 'rest', failure: second })
})

test('a stream that has ended or failed stays so', (t) => {
  const steps: StreamStep[] = [
    detached,
    concluded,
    { kind: 'failed', error: second },
    { kind: 'exhausted', failure, isConclusive: true },
  ]
  for (const state of [ended, failed]) for (const step of steps) t.is(transition(state, step), state)
})

/** A stream, and what it has told its connection. */
function streamOf(isInconclusive = false): { stream: IncomingStream; told: string[] } {
  const told: string[] = []
  const events: StreamEvents = {
    onEnd: () => void told.push('end'),
    awaitsConclusion: () => isInconclusive,
    onExhausted: () => void told.push('exhausted'),
    onFailure: (error) => void told.push(error.message),
  }
  return { stream: new IncomingStream(events), told }
}

test('the connection hears of the end, and of a fault that it does not know yet', (t) => {
  const clean = streamOf()
  clean.stream.exhaust(undefined)
  t.deepEqual(clean.told, ['exhausted', 'end'])
  t.deepEqual(clean.stream.outcome, ended)

  const faulty = streamOf()
  faulty.stream.exhaust(first)
  t.deepEqual(faulty.told, ['exhausted', 'first'])
  t.is(faulty.stream.failure, first)

  const known = streamOf()
  known.stream.detach(first)
  t.true(known.stream.isReadable)
  t.is(known.stream.foreseenFailure, first)
  known.stream.exhaust(second)
  t.deepEqual(known.told, ['exhausted'])
  t.is(known.stream.failure, first)
})

test('a stream that is dropped stays as it ended', (t) => {
  const { stream, told } = streamOf()
  stream.drop(first)
  stream.drop(second)
  t.is(stream.failure, first)
  t.deepEqual(told, ['exhausted'])
  stream.fail(second)
  t.is(stream.failure, first)
  t.deepEqual(told, ['exhausted', 'second'])
})

test('an inconclusive stream has no outcome before its process has one', (t) => {
  const { stream, told } = streamOf(true)
  stream.exhaust(undefined)
  t.deepEqual([stream.outcome, stream.isReadable, stream.isInconclusive], [undefined, false, true])
  t.deepEqual(told, ['exhausted', 'end'])
  stream.conclude(second)
  t.deepEqual(stream.outcome, { kind: 'failed', error: second })
})
