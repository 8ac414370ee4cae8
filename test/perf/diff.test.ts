/** What `diff` makes of samples: the interval of a ratio, its verdict in words, and the code that the run ends with. */
import fc from 'fast-check'
import test from 'ava'
import { exitCodeOf } from '../../perf/commands/scenario.js'
import { logRatios, ratioInterval } from '../../perf/harness/ratios.js'
import { Random } from '../../perf/harness/seeded-random.js'
import { confidenceOfEach, inWords, judgeChange, type Change } from '../../perf/report/change.js'
import { diffTable, isWorse } from '../../perf/report/diff-table.js'
import type { DiffRow } from '../../perf/scenarios/diff.js'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
const ones = (count: number): number[] => upTo(count).map(() => 1)

/** Evenly over a normal distribution of the logarithm, shuffled always alike. */
function spread(count: number, sigma: number): number[] {
  const random = new Random(count)
  const all = upTo(count).map((rank) => Math.exp(sigma * Math.log(rank / (count + 1 - rank)) * 0.55))
  return all
    .map((value) => ({ value, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

test('of 15 pairs the interval at 95 % goes from the fourth to the twelfth', (t) => {
  const { median, low, high } = ratioInterval(logRatios(upTo(15), ones(15)), 0.95)
  for (const [value, expected] of [
    [median, 8],
    [low, 4],
    [high, 12],
  ] as const)
    t.true(Math.abs(value - expected) < 1e-9)
})

test('the median of an even number of ratios is the one whose inverse is that of the inverses', (t) => {
  t.true(Math.abs(ratioInterval(logRatios([1, 4], [1, 1]), 0.95).median - 2) < 1e-9)
})

test('too few pairs tell nothing, and the fewest that do are all between the least and the greatest', (t) => {
  const five = ratioInterval(logRatios(upTo(5), ones(5)), 0.95)
  t.deepEqual([five.low, five.high], [0, Infinity])
  const six = ratioInterval(logRatios(upTo(6), ones(6)), 0.95)
  t.true(Math.abs(six.low - 1) < 1e-9 && Math.abs(six.high - 6) < 1e-9)
})

test('as many are left out on both sides as the binomial distribution allows, also of thousands', (t) => {
  for (const [count, spared] of [
    [6, 0],
    [9, 1],
    [12, 2],
    [15, 3],
    [20, 5],
    [100, 39],
    [5_000, 2_430],
  ] as const) {
    const { low, high } = ratioInterval(logRatios(upTo(count), ones(count)), 0.95)
    t.deepEqual([Math.round(low), Math.round(high)], [spared + 1, count - spared], String(count))
  }
})

test('more pairs of the same kind narrow the interval', (t) => {
  const widths = [10, 40, 160, 640].map((count) => {
    const { low, high } = ratioInterval(logRatios(spread(count, 0.3), ones(count)), 0.95)
    return Math.log(high / low)
  })
  for (const [index, width] of widths.slice(1).entries()) t.true(width < (widths[index] ?? 0) * 0.7)
})

test('ratios that are all the same are known', (t) => {
  const { median, low, high } = ratioInterval(logRatios(ones(10), ones(10)), 0.95)
  t.deepEqual([median, low, high], [1, 1, 1])
})

test('a pair with nothing in it tells nothing', (t) => {
  const { low } = ratioInterval(logRatios([...ones(5), 0], [...ones(5), 0]), 0.95)
  t.is(low, 0)
})

const samples = fc.array(
  fc.tuple(fc.double({ min: 1, max: 1e6, noNaN: true }), fc.double({ min: 1, max: 1e6, noNaN: true })),
  {
    minLength: 1,
    maxLength: 40,
  },
)
const rules = { margin: 0.05, confidence: 0.95 }
const opposite = { faster: 'slower', slower: 'faster', same: 'same', untold: 'untold' } as const

test('head and base the other way round have the inverse interval, and the opposite verdict', (t) => {
  fc.assert(
    fc.property(samples, (pairs) => {
      const [head, base] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)]
      const there = judgeChange(head, base, 'lower', rules)
      const back = judgeChange(base, head, 'lower', rules)
      t.is(back.change.kind, opposite[there.change.kind])
      t.true(Math.abs(Math.log(there.interval.median * back.interval.median)) < 1e-9)
      if (there.interval.low > 0) t.true(Math.abs(Math.log(there.interval.low * back.interval.high)) < 1e-9)
      // Of what is better higher, the same ratio says the opposite.
      t.is(judgeChange(head, base, 'higher', rules).change.kind, opposite[there.change.kind])
    }),
  )
})

test('whatever the noise, who has each sample of the other in turn is neither faster nor slower', (t) => {
  fc.assert(
    fc.property(samples, (pairs) => {
      const one = pairs.flatMap(([a, b]) => [a, b])
      const other = pairs.flatMap(([a, b]) => [b, a])
      t.true(['same', 'untold'].includes(judgeChange(one, other, 'lower', rules).change.kind))
    }),
  )
})

test('of tables of the same noise on both sides, at most one in twenty calls any figure faster or slower', (t) => {
  const random = new Random(1)
  // A heavy tail, as times of a busy machine have.
  const draw = (): number => 1 / (random.next() / 2 ** 32 + 1e-3)
  const [tables, figures, rounds] = [300, 20, 15]
  let wrong = 0
  for (let i = 0; i < tables; i++) {
    const changes = upTo(figures).map(() => {
      const [head, base] = [upTo(rounds).map(draw), upTo(rounds).map(draw)]
      return judgeChange(head, base, 'lower', { margin: 0.001, confidence: confidenceOfEach(figures) }).change.kind
    })
    if (changes.includes('faster') || changes.includes('slower')) wrong++
  }
  t.true(wrong <= tables / 20, String(wrong))
})

const judged = (head: readonly number[], margin = 0.05): Change =>
  judgeChange(head, ones(head.length), 'lower', { margin, confidence: 0.95 }).change

test('a figure is slower or faster only if the whole interval lies beyond the margin', (t) => {
  const noise = spread(15, 0.02)
  t.is(judged(noise.map((value) => value * 1.3)).kind, 'slower')
  t.is(judged(noise.map((value) => value / 1.3)).kind, 'faster')
  t.is(judged(noise).kind, 'same')
  t.is(judged(noise.map((value) => value * 1.05)).kind, 'untold')
  t.is(
    judged(
      noise.map((value) => value * 1.3),
      0.5,
    ).kind,
    'same',
  )
})

test('with the rounds that an untold figure asks for, it is told', (t) => {
  for (const shift of [1, 1.01, 1.1, 0.9, 1.2]) {
    const of = (count: number): Change => judged(spread(count, 0.3).map((value) => value * shift))
    const few = of(20)
    if (few.kind !== 'untold') return t.fail(few.kind)
    t.true(few.moreRounds >= 1)
    t.not(of(Math.ceil(1.3 * (20 + few.moreRounds))).kind, 'untold', `${String(shift)}: ${String(few.moreRounds)}`)
  }
})

test('too few rounds say how many are missing', (t) => {
  t.deepEqual(judged(ones(4)), { kind: 'untold', moreRounds: 2 })
  t.is(inWords(judged(ones(4))), 'cannot tell: 2 more rounds')
  t.is(inWords({ kind: 'untold', moreRounds: Infinity }), 'cannot tell: over 1000 more rounds')
})

const row = (kind: 'faster' | 'slower' | 'same'): DiffRow => ({
  ...{ metric: 'round trip', unit: 'us', better: 'lower', at: { bytes: 64, transport: 'unix', connections: 10 } },
  ...{ base: 20, head: 26, netVaries: 0.12 },
  interval: { median: 1.3, low: 1.2, high: 1.4 },
  change: { kind },
})

const report = (rows: readonly DiffRow[], failures: readonly string[] = []) => {
  return { rows, figures: [], margin: 0.05, skipped: ['latency over shm: base cannot: no'], failures }
}

test('the table has both medians, the ratio with its interval, how much net varies, and the verdict', (t) => {
  const lines = diffTable(report([row('slower'), row('same')]))
    .trim()
    .split('\n')
  t.deepEqual(lines[2]?.split(/ {2,}/), [
    ...['round trip', '64 B, unix, 10 connections', '20.0 us', '26.0 us'],
    ...['1.300', '1.200 to 1.400', '12 %', 'slower'],
  ])
  t.deepEqual(lines.slice(4), [
    'NOT measured: latency over shm: base cannot: no',
    'SLOWER by more than 5 %: round trip (64 B, unix, 10 connections). Of the others: 1 the same, 0 cannot be told.',
  ])
})

test('the last line says that nothing got slower, as far as is known', (t) => {
  const lines = diffTable(report([row('faster'), row('same')]))
    .trim()
    .split('\n')
  t.is(lines.at(-1), 'Nothing is known to be slower by more than 5 %: 1 faster, 1 the same, 0 cannot be told.')
  t.is(diffTable(report([])).trim().split('\n').at(-1), 'Nothing was measured.')
})

test('what got slower has an exit code of its own, and wrong counts come before it', (t) => {
  const slower = isWorse({ rows: [row('same'), row('slower')] })
  const outcome = { reports: [], figures: [] }
  t.is(exitCodeOf({ ...outcome, right: true, isWorse: slower }), 3)
  t.is(exitCodeOf({ ...outcome, right: false, isWorse: slower }), 1)
  t.is(exitCodeOf({ ...outcome, right: true, isWorse: isWorse({ rows: [row('faster'), row('same')] }) }), 0)
  t.is(exitCodeOf({ ...outcome, right: true }), 0)
})
