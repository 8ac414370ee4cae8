/** Histograms of hops, and who turns them on. */
import test from 'ava'
import { hopNames, hopTraceFor } from '../../../engine/common/hop-trace.js'
import { ManualHops } from '../../helpers/manual-hops.js'

test('each hop has its figures in microseconds, and one that never was has zeros', (t) => {
  const { trace } = new ManualHops()
  for (let micros = 1; micros <= 100; micros++) trace.record('sendToFlush', 1_000, 1_000 + micros * 10)
  const stats = trace.stats()
  t.deepEqual(
    stats.map(({ hop }) => hop),
    [...hopNames],
  )
  const [sendToFlush, flushToWritten] = stats
  t.like(sendToFlush, { hop: 'sendToFlush', count: 100 })
  // The histogram keeps three digits.
  const isNear = (value: number | undefined, expected: number): boolean => Math.abs((value ?? 0) / expected - 1) < 0.001
  t.true(isNear(sendToFlush?.meanMicros, 50.5), String(sendToFlush?.meanMicros))
  t.true(isNear(sendToFlush?.p50Micros, 50), String(sendToFlush?.p50Micros))
  t.true(isNear(sendToFlush?.p99Micros, 99), String(sendToFlush?.p99Micros))
  t.true(isNear(sendToFlush?.maxMicros, 100), String(sendToFlush?.maxMicros))
  t.deepEqual(flushToWritten, {
    hop: 'flushToWritten',
    count: 0,
    meanMicros: 0,
    p50Micros: 0,
    p99Micros: 0,
    maxMicros: 0,
  })
})

test('a hop that took no time counts, and one of more than ten seconds counts as that', (t) => {
  const { trace } = new ManualHops()
  trace.record('readToMain', 5, 5)
  trace.record('hostToSend', 0, 11 * 1e7)
  const of = (name: string) => trace.stats().find(({ hop }) => hop === name)
  t.is(of('readToMain')?.count, 1)
  t.is(of('hostToSend')?.count, 1)
  t.true(Math.abs((of('hostToSend')?.maxMicros ?? 0) / 1e7 - 1) < 0.001)
})

test('what was reset is forgotten', (t) => {
  const hops = new ManualHops()
  hops.trace.record('sendToFlush', 0, 10)
  hops.trace.reset()
  t.deepEqual(hops.counts(), {})
  hops.trace.record('sendToFlush', 0, 20)
  t.deepEqual(hops.totals(), { sendToFlush: 20 })
})

test('there is a trace only for an engine that wants one', (t) => {
  t.is(hopTraceFor(false), undefined)
  t.not(hopTraceFor(true), undefined)
})
