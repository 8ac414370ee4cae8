/** What every measurement goes through: distributions, figures, amounts, and the progress that is shown meanwhile. */
import test from 'ava'
import fc from 'fast-check'
import { build } from 'hdr-histogram-js'
import { countFor } from '../../perf/harness/amount.js'
import { Distribution } from '../../perf/harness/distribution.js'
import { Progress } from '../../perf/harness/progress.js'
import { interleave } from '../../perf/harness/rounds.js'
import { figuresOf } from '../../perf/report/figures-of.js'

const hundred = Array.from({ length: 100 }, (_, index) => index + 1)

test('a distribution tells mean and percentiles to three digits', (t) => {
  const one = Distribution.ofMicros(hundred)
  t.is(one.count, 100)
  t.true(Math.abs(one.meanMicros - 50.5) < 0.1)
  t.true(Math.abs(one.micros(50) - 50) < 0.1)
  t.true(Math.abs(one.micros(99) - 99) < 0.2)
})

test('a distribution crosses processes as text, and is added to others', (t) => {
  const sum = Distribution.sumOf([
    Distribution.decoded(Distribution.ofMicros([1, 2]).encoded),
    Distribution.ofMicros([60_000_000]),
  ])
  t.is(sum.count, 3)
  t.true(Math.abs(sum.micros(50) - 2) < 0.01)
  t.true(Math.abs(sum.micros(100) / 60_000_000 - 1) < 0.001)
})

test('percentiles rise, and end with the longest of all', (t) => {
  const { percentiles } = Distribution.ofMicros(hundred)
  t.deepEqual([percentiles[0]?.percentile, percentiles.at(-1)?.percentile], [0, 100])
  for (const [index, { percentile, value }] of percentiles.entries()) {
    const last = percentiles[index - 1]
    if (last !== undefined) t.true(percentile > last.percentile && value >= last.value)
  }
})

test('nothing has no mean and no percentile', (t) => {
  const none = Distribution.ofMicros([])
  t.deepEqual([none.meanMicros, none.micros(50), none.percentiles], [NaN, NaN, []])
})

test('percentiles and the mean are those of HdrHistogram', (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc
          .tuple(fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 0, max: 40 }))
          .map(([base, shift]) => Math.max(1, base * 2 ** shift)),
        { minLength: 1, maxLength: 300 },
      ),
      (nanos) => {
        const reference = build({ bitBucketSize: 64, autoResize: true, numberOfSignificantValueDigits: 3 })
        for (const each of nanos) reference.recordValue(each)
        const own = Distribution.ofMicros(nanos.map((each) => each / 1_000))
        t.is(own.count, reference.totalCount)
        t.true(Math.abs(own.meanMicros * 1_000 - reference.mean) <= reference.mean / 500)
        for (const percentile of [0, 25, 50, 90, 99, 99.9, 100]) {
          const expected = reference.getValueAtPercentile(percentile)
          t.true(
            Math.abs(own.micros(percentile) * 1_000 - expected) <= Math.max(0.01, expected / 500),
            `${String(percentile)}: ${String(own.micros(percentile) * 1_000)}, ${String(expected)}`,
          )
        }
      },
    ),
    { numRuns: 15 },
  )
})

test('figures are of each contender, the first is the baseline, and what could not be told is left out', (t) => {
  const samples = new Map([
    ['net', [{ micros: 2, cpu: undefined }]],
    ['engine', [{ micros: 1, cpu: undefined }]],
  ])
  const figures = figuresOf(samples, { bytes: 64 }, [
    { metric: 'round trip', unit: 'us', better: 'lower', of: ({ micros }) => micros },
    { metric: 'CPU', unit: 'us', better: 'lower', of: ({ cpu }) => cpu },
  ])
  const common = { metric: 'round trip', unit: 'us', better: 'lower', at: { bytes: 64 } } as const
  t.deepEqual(figures, [
    { ...common, contender: 'net', isBaseline: true, samples: [2] },
    { ...common, contender: 'engine', isBaseline: false, samples: [1] },
  ])
})

test('each round goes through all contenders in its order, and their samples stay apart', async (t) => {
  const said: string[] = []
  const measure = (item: { readonly name: string }): Promise<string> => {
    said.push(item.name)
    return Promise.resolve(item.name)
  }
  const items = [{ name: 'a' }, { name: 'b' }]
  const samples = await interleave(items, 2, measure, undefined, (all, round) => (round === 0 ? all : all.toReversed()))
  t.deepEqual(said, ['a', 'b', 'b', 'a'])
  t.deepEqual(
    [...samples],
    [
      ['a', ['a', 'a']],
      ['b', ['b', 'b']],
    ],
  )
})

test('a round does what it is told to, or what the warm-up did in as long', (t) => {
  t.is(countFor({ count: 7 }, 1_000), 7)
  t.is(countFor({ count: 7, seconds: 0.5 }, 1_000), 500)
  t.is(countFor({ count: 7, seconds: 0.01 }, 1), 1)
})

test('on a terminal one line says how far a run is and how long it still takes', (t) => {
  const said: string[] = []
  let now = 0
  const progress = new Progress({ isTTY: true, write: (text) => said.push(text) }, () => now)
  progress.begin('measurements', 4)
  now = 30_000
  progress.step()
  now = 300_000
  progress.step()
  progress.end()
  t.deepEqual(
    said.map((text) => text.replace('\r\u001b[K', '')),
    ['measurements: 0 of 4', 'measurements: 1 of 4, 2 min left', 'measurements: 2 of 4, 5 min left', ''],
  )
})

test('without a terminal a long run says so now and then', (t) => {
  const said: string[] = []
  let now = 0
  const progress = new Progress({ write: (text) => said.push(text) }, () => now)
  progress.begin('measurements', 100)
  for (let i = 0; i < 30; i++) {
    now += 1_000
    progress.step()
  }
  progress.end()
  t.deepEqual(said, ['measurements: 15 of 100, 85 s left\n', 'measurements: 30 of 100, 70 s left\n'])
})

test('on a terminal the line moves while a step takes long, and says what it is a part of', (t) => {
  const said: string[] = []
  let now = 0
  const progress = new Progress({ isTTY: true, write: (text) => said.push(text) }, () => now)
  progress.tick()
  progress.part('2 of 9: round trips')
  progress.begin('warming up')
  now = 3_000
  progress.tick()
  progress.begin('measurements', 2)
  now = 5_000
  progress.tick()
  now = 13_000
  progress.step()
  now = 16_000
  progress.tick()
  progress.end()
  progress.tick()
  const part = '2 of 9: round trips, '
  t.deepEqual(
    said.map((text) => text.replace('\r\u001b[K', '')),
    [
      `${part}warming up`,
      `${part}warming up, 3 s so far`,
      `${part}measurements: 0 of 2`,
      `${part}measurements: 0 of 2, 2 s so far`,
      `${part}measurements: 1 of 2, 10 s left`,
      `${part}measurements: 1 of 2, 7 s left`,
      '',
    ],
  )
})
