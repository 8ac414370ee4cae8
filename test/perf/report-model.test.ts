/** From figures to what a report shows of them. */
import test from 'ava'
import { scaleOf, conditionScaleOf, gainScaleOf, percentileScaleOf } from '../../perf/report/charts/scale.js'
import { dark, light } from '../../perf/report/charts/theme.js'
import type { Figure } from '../../perf/report/figure.js'
import { compare } from '../../perf/report/page/comparison.js'
import { formatCondition, formatValue } from '../../perf/report/quantities.js'
import { partOf } from '../../perf/report/page/read-runs.js'
import { chartsIn, sectionsOf, type Section } from '../../perf/report/page/sections.js'
import { spreadOf } from '../../perf/report/spread.js'
import { machine, sampleRuns } from '../helpers/sample-runs.js'

const base: Figure = {
  metric: 'round trip',
  unit: 'us',
  better: 'lower',
  contender: 'net',
  isBaseline: true,
  at: { bytes: 64 },
  samples: [20, 22, 24],
}
const engine: Figure = { ...base, contender: 'engine', isBaseline: false, samples: [10, 11, 12] }

const sectionOf = (figures: readonly Figure[]): Section => {
  const part = { scenario: 'latency', summary: '', settings: {}, right: true, machine, figures }
  const [section] = sectionsOf([part])
  if (section === undefined) throw new Error('no section')
  return section
}

test('a figure is compared with the baseline of its metric and conditions, median by median', (t) => {
  const others = [
    { ...base, at: { bytes: 128 }, samples: [1] },
    { ...base, metric: 'p99', samples: [1] },
  ]
  const compared = compare(engine, [...others, base, engine])
  t.like(compared, { baseline: 'net', ratio: 0.5, gain: 2, verdict: 'better' })
})

test('where more is better, a smaller figure is worse', (t) => {
  const more = { better: 'higher', unit: 'frames/s', metric: 'frames' } as const
  t.like(compare({ ...engine, ...more }, [{ ...base, ...more }]), { ratio: 0.5, gain: 0.5, verdict: 'worse' })
})

test('of two baselines the better one is taken, and one with more of the conditions before it', (t) => {
  const corked = { ...base, contender: 'corked', samples: [15] }
  t.is(compare(engine, [base, corked])?.baseline, 'corked')
  const anywhere = { ...base, contender: 'anywhere', at: {}, samples: [1] }
  t.is(compare(engine, [anywhere, base])?.baseline, 'net')
  t.is(compare({ ...engine, at: { bytes: 64, shards: 2 } }, [anywhere, base])?.baseline, 'net')
})

test('a baseline is compared with nothing, nor is a figure without a baseline, or beside zero', (t) => {
  t.is(compare(base, [base, engine]), undefined)
  t.is(compare(engine, [engine]), undefined)
  t.is(compare(engine, [{ ...base, samples: [0] }]), undefined)
})

test('a difference of less than two percent is even, and one on which rounds do not agree is unclear', (t) => {
  const verdict = (samples: readonly number[]): string | undefined =>
    compare({ ...engine, samples }, [{ ...base, samples: [100, 100, 100] }])?.verdict
  t.is(verdict([80, 90, 130]), 'unclear')
  t.is(verdict([70, 110, 120]), 'unclear')
  t.is(verdict([99, 99, 99]), 'even')
  t.is(verdict([80, 90, 95]), 'better')
  t.is(verdict([110, 120, 130]), 'worse')
})

test('a spread has quartiles between the rounds', (t) => {
  t.deepEqual(spreadOf([4, 1, 3, 2, 5]), { least: 1, lowerQuartile: 2, median: 3, upperQuartile: 4, most: 5 })
  t.is(spreadOf([1, 2]).median, 1.5)
})

test('a condition that is a number with two values makes a curve, a line a contender', (t) => {
  const figures = [64, 1_024].flatMap((bytes) => [base, engine].map((each) => ({ ...each, at: { bytes } })))
  const [scaling] = sectionOf(figures).metrics[0]?.charts ?? []
  if (scaling?.kind !== 'scaling') return t.fail('no curve')
  t.is(scaling.over, 'bytes')
  t.deepEqual(
    scaling.facets.map(({ label, lines }) => [label, lines.map(({ points }) => points.map(({ x }) => x))]),
    [
      [
        '',
        [
          [64, 1_024],
          [64, 1_024],
        ],
      ],
    ],
  )
})

test('a condition in words makes no curve, but conditions to choose from', (t) => {
  const figures = ['unix', 'shm'].flatMap((transport) => [base, engine].map((each) => ({ ...each, at: { transport } })))
  const [rounds, ...others] = sectionOf(figures).metrics[0]?.charts ?? []
  t.deepEqual(others, [])
  if (rounds?.kind !== 'rounds') return t.fail('no rounds')
  t.deepEqual(
    rounds.facets.map(({ label }) => label),
    ['transport unix', 'transport shm'],
  )
})

test('figures without some of the conditions have a label that says so', (t) => {
  const rated = { ...base, at: { bytes: 64, rate: 10 } }
  const [rounds] = sectionOf([base, rated]).metrics[0]?.charts ?? []
  if (rounds?.kind !== 'rounds') return t.fail('no rounds')
  t.deepEqual(
    rounds.facets.map(({ label }) => label),
    ['without rate', 'rate 10'],
  )
})

test('a single round makes no chart, and the table has it all the same', (t) => {
  const section = sectionOf([{ ...base, samples: [1] }])
  t.deepEqual(chartsIn([section]), [])
  t.is(section.metrics[0]?.rows.length, 1)
})

test('figures with a distribution make percentile curves, and their tail stands in the table', (t) => {
  const distribution = [
    { percentile: 50, value: 10 },
    { percentile: 99.2, value: 30 },
    { percentile: 100, value: 90 },
  ]
  const [metric] = sectionOf([{ ...base, distribution }, engine]).metrics
  const curves = metric?.charts.find(({ kind }) => kind === 'percentiles')
  if (curves?.kind !== 'percentiles') return t.fail('no percentiles')
  t.deepEqual(curves.facets[0]?.lines[0]?.points, distribution)
  t.deepEqual(
    metric?.rows.map(({ tail }) => tail),
    [
      [30, 90, 90],
      [undefined, undefined, undefined],
    ],
  )
})

test('the first metric of a run is its headline: the mean over its conditions, and what they say', (t) => {
  const faster = { ...engine, at: { bytes: 128 }, samples: [2.5, 2.75, 3] }
  const [headline] = sectionOf([base, engine, { ...base, at: { bytes: 128 } }, faster]).headlines
  t.like(headline, { metric: 'round trip', baselines: ['net'], verdicts: { better: 2, worse: 0, even: 0, unclear: 0 } })
  t.is(headline?.mean.toFixed(3), '4.000')
  t.is(headline?.most.toFixed(3), '8.000')
})

test('runs of one scenario are told apart by the options that differ, and ids are unique', (t) => {
  const [latency] = sampleRuns
  if (latency === undefined) return t.fail('no sample')
  const runs = [latency, { ...latency, settings: { ...latency.settings, transport: 'shm' } }]
  const sections = sectionsOf(runs.map((run) => partOf(run, () => '')))
  t.deepEqual(
    sections.map(({ title }) => title),
    ['latency', 'latency, transport shm'],
  )
  const twice = sectionsOf([...sampleRuns, ...sampleRuns].map((run) => partOf(run, () => '')))
  const ids = [...chartsIn(twice).map(({ id }) => id), ...twice.flatMap(({ metrics }) => metrics.map(({ id }) => id))]
  t.is(new Set(ids).size, ids.length)
})

test('values have three digits that count and a unit that fits', (t) => {
  t.deepEqual(
    [formatValue(14.2, 'us'), formatValue(1_310, 'us'), formatValue(0.25, 'us'), formatValue(12_840_000, 'frames/s')],
    ['14.2 µs', '1.31 ms', '250 ns', '12.8 M/s'],
  )
  t.deepEqual([formatValue(1_536, 'bytes'), formatValue(17_200, 'MB/s')], ['1.50 KiB', '17.2 GB/s'])
  t.deepEqual([formatValue(999.96, 'us'), formatValue(1_024, 'bytes')], ['1 ms', '1 KiB'])
  t.deepEqual([formatCondition('bytes', 65_536), formatCondition('rateHz', 1_000)], ['64 KiB', 'rate hz 1,000'])
})

test('an axis is logarithmic where values are far apart, and begins at zero where they are not', (t) => {
  t.deepEqual(scaleOf([3, 5]).min, 0)
  t.deepEqual(scaleOf([0, 5_000]).min, 0)
  const far = scaleOf([10, 1_000])
  t.is(far.place(100), 2)
  t.deepEqual(far.ticks, [10, 20, 50, 100, 200, 500, 1_000])
  t.deepEqual(conditionScaleOf([64, 1_024, 64]).ticks, [64, 1_024])
  t.deepEqual(gainScaleOf([1.9]).ticks, [1 / 2, 1 / 1.25, 1, 1.25, 2])
  const tail = percentileScaleOf([50, 99.9, 100])
  t.is(tail.place(99).toFixed(6), '2.000000')
  t.is(tail.place(100), tail.max)
  t.deepEqual(tail.ticks, [0, 50, 90, 99, 99.9, 100])
})

/** Of WCAG 2: how far apart two colours like `#0b57a4` are, from 1 to 21. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (lighter + 0.05) / (darker + 0.05)
}

test('text has the contrast of WCAG AA in both themes, and so have lines and marks', (t) => {
  for (const { paper, raised, ink, soft, accent, better, worse, baselines, others } of [light, dark]) {
    for (const text of [ink, soft, accent, better, worse]) t.true(contrast(text, paper) >= 4.5, text)
    t.true(contrast(ink, raised) >= 4.5)
    for (const line of [...baselines, ...others]) t.true(contrast(line, paper) >= 3, line)
  }
})
