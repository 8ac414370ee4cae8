/** What main is told of a listener's connections: bounded, whatever happens here and however slow main is. */
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { HandlerReport } from '../../../engine/protocol/handling.js'
import { HandlerReports } from '../../../workers/handlers/handler-reports.js'
import { signal, turns, type Signal } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

interface Rig {
  readonly reports: HandlerReports
  readonly sent: HandlerReport[]
  /** Answers the report that was sent last. */
  answer(): Promise<void>
}

/** Main answers only when the test says so. */
function makeRig(): Rig {
  const sent: HandlerReport[] = []
  let answering: Signal<void> | undefined
  const reports = new HandlerReports((report) => {
    sent.push(report)
    answering = signal()
    return answering.promise
  })
  return {
    reports,
    sent,
    answer: async () => {
      answering?.resolve()
      await turns()
    },
  }
}

test('what happens in a turn is one report, each list in its order', async (t) => {
  const { reports, sent } = makeRig()
  const error = new TransportError('ERR_RESET', 'cut')
  reports.opened('a')
  reports.opened('b')
  reports.closed('a', undefined)
  reports.closed('b', error)
  reports.refused()
  reports.refused()
  reports.log.info('hello', { answer: 42 })
  reports.log.error('bad')
  reports.failed('module', 'it failed', new TypeError('why'), 'b')
  t.deepEqual(sent, [])
  await turns()
  const [report, ...more] = sent
  t.deepEqual(more, [])
  t.deepEqual(report?.opened, ['a', 'b'])
  t.deepEqual(
    report?.closed.map(({ id, error }) => [id, error?.code]),
    [
      ['a', undefined],
      ['b', 'ERR_RESET'],
    ],
  )
  t.is(report?.refused, 2)
  t.deepEqual(
    report?.logs.map(({ level, message, details }) => [level, message, details]),
    [
      ['info', 'hello', { answer: 42 }],
      ['error', 'bad', undefined],
    ],
  )
  t.is(report?.omitted, 0)
  const [failure] = report?.failures ?? []
  t.deepEqual([failure?.where, failure?.message, failure?.connection], ['module', 'it failed', 'b'])
  t.deepEqual([failure?.thrown.name, failure?.thrown.message], ['TypeError', 'why'])
  t.regex(failure?.thrown.stack ?? '', /handler-reports\.test/)
})

test('one report at a time is on its way, and the rest follows with its answer', async (t) => {
  const rig = makeRig()
  rig.reports.opened('a')
  await turns()
  rig.reports.opened('b')
  await turns(3)
  rig.reports.opened('c')
  await turns(3)
  t.is(rig.sent.length, 1)
  await rig.answer()
  t.deepEqual(rig.sent[1]?.opened, ['b', 'c'])
  await rig.answer()
  t.is(rig.sent.length, 2)
})

test('while main is slow, connections that came and went are left out past a thousand ends', async (t) => {
  const rig = makeRig()
  rig.reports.opened('before')
  await turns()
  for (let i = 0; i < 5_000; i++) {
    rig.reports.opened(String(i))
    rig.reports.closed(String(i), undefined)
  }
  // Main knows of this one.
  rig.reports.closed('before', undefined)
  rig.reports.opened('after')
  await rig.answer()
  const [, report] = rig.sent
  t.is(report?.opened.length, 1_001)
  t.is(report?.opened.at(-1), 'after')
  t.is(report?.closed.length, 1_001)
  t.is(report?.closed.at(-1)?.id, 'before')
  // Each end belongs to a beginning that main was told of.
  const known = new Set(rig.sent.flatMap(({ opened }) => opened))
  t.true(report?.closed.every(({ id }) => known.has(id)))
})

test('failures and log lines are bounded, and main learns how many were left out', async (t) => {
  const rig = makeRig()
  rig.reports.opened('a')
  await turns()
  for (let i = 0; i < 150; i++) rig.reports.failed('module', 'it failed', new Error(String(i)), undefined)
  for (let i = 0; i < 1_200; i++) rig.reports.log.debug(String(i))
  await rig.answer()
  const [, report] = rig.sent
  t.is(report?.failures.length, 100)
  t.is(report?.logs.length, 1_000)
  t.is(report?.omitted, 250)
  t.is(report?.failures[0]?.thrown.message, '0')
  rig.reports.log.debug('again')
  await rig.answer()
  t.deepEqual([rig.sent[2]?.logs.length, rig.sent[2]?.omitted], [1, 0])
})

test('details that cannot be cloned are named instead', async (t) => {
  const { reports, sent } = makeRig()
  reports.log.warn('odd', () => undefined)
  await turns()
  const [line] = sent[0]?.logs ?? []
  t.is(line?.details, 'a function')
})

test('anything can be thrown, also what cannot be shown', async (t) => {
  const { reports, sent } = makeRig()
  const hostile = new Proxy(new Error('x'), {
    get: () => {
      throw new Error('no')
    },
  })
  const coded = Object.assign(new Error('with a code'), { code: 'ENOENT' })
  for (const thrown of ['a word', undefined, hostile, coded]) reports.failed('module', 'it failed', thrown, undefined)
  await turns()
  const thrown = sent[0]?.failures.map((failure) => failure.thrown)
  t.is(thrown?.length, 4)
  t.true(thrown?.every(({ message }) => typeof message === 'string'))
  t.is(thrown?.[3]?.code, 'ENOENT')
})

test('flushed() resolves at once when nothing is due, and else when main has taken up all until then', async (t) => {
  const rig = makeRig()
  await rig.reports.flushed()
  rig.reports.opened('a')
  await turns()
  rig.reports.closed('a', undefined)
  let isFlushed = false
  const flushed = rig.reports.flushed().then(() => (isFlushed = true))
  await rig.answer()
  t.false(isFlushed)
  await rig.answer()
  await flushed
  t.is(rig.sent.length, 2)
})

test('a main that is gone holds nothing up', async (t) => {
  const sent: HandlerReport[] = []
  const reports = new HandlerReports((report) => {
    sent.push(report)
    return Promise.reject(new Error('gone'))
  })
  reports.opened('a')
  await reports.flushed()
  reports.opened('b')
  await reports.flushed()
  t.is(sent.length, 2)
})
