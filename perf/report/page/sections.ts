/** From figures to what the page shows, section by section. Pure. */
import type { Chart, Contender, OverviewChart } from '../charts/chart.js'
import type { Figure } from '../figure.js'
import { chartsOf, gainsOf, overviewChart, type Look, type MetricFigures } from './charts-of.js'
import { compare, type Comparison, type Verdict } from './comparison.js'
import type { Part } from './part.js'
import { formatName } from '../quantities.js'
import { slug } from '../slug.js'
import { spreadOf, type Spread } from '../spread.js'

/** One figure in a table. */
export interface Row {
  readonly contender: Contender
  readonly at: Figure['at']
  readonly spread: Spread
  readonly rounds: number
  /** Of all rounds together, those of `TAILS` that are known. */
  readonly tail: readonly (number | undefined)[]
  readonly comparison: Comparison | undefined
}

export interface MetricSection extends MetricFigures {
  readonly charts: readonly Chart[]
  readonly rows: readonly Row[]
  /** Whether any row has a tail. */
  readonly hasTails: boolean
}

/** The first metric of a scenario in one line for each contender. */
export interface Headline {
  readonly section: string
  readonly title: string
  readonly metric: string
  readonly contender: Contender
  readonly baselines: readonly string[]
  /** Geometric mean over the conditions, and the worst and the best. */
  readonly mean: number
  readonly least: number
  readonly most: number
  readonly verdicts: Readonly<Record<Verdict, number>>
}

export interface Section {
  readonly id: string
  /** The scenario, and what tells it from other runs of the same. */
  readonly title: string
  readonly part: Part
  /** The conditions that all figures have in common. */
  readonly shared: Figure['at']
  readonly contenders: readonly Contender[]
  readonly overview: OverviewChart | undefined
  readonly metrics: readonly MetricSection[]
  readonly headlines: readonly Headline[]
}

/** Percentiles that a table shows. */
export const TAILS: readonly number[] = [99, 99.9, 100]

export function sectionsOf(parts: readonly Part[]): readonly Section[] {
  const nextId = uniqueIds()
  return parts.map((part) => {
    const title = titleOf(part, parts)
    return sectionOf(part, title, nextId(slug(title)))
  })
}

/** All charts of a page. */
export function chartsIn(sections: readonly Section[]): readonly Chart[] {
  return sections.flatMap(({ overview, metrics }) => [
    ...(overview === undefined ? [] : [overview]),
    ...metrics.flatMap(({ charts }) => charts),
  ])
}

function titleOf({ scenario, settings }: Part, parts: readonly Part[]): string {
  const alike = parts.filter((part) => part.scenario === scenario)
  const differing = Object.entries(settings).filter(([name, value]) =>
    alike.some((part) => part.settings[name] !== value),
  )
  return [scenario, ...differing.map(([name, value]) => `${formatName(name)} ${value}`)].join(', ')
}

function sectionOf(part: Part, title: string, id: string): Section {
  const { figures } = part
  const contenders = contendersOf(figures)
  const look: Look = (name) => contenders.find((known) => known.name === name) ?? { name, isBaseline: false, place: 0 }
  const comparisons = new Map(figures.map((figure) => [figure, compare(figure, figures)]))
  const comparisonOf = (figure: Figure): Comparison | undefined => comparisons.get(figure)
  const shared = sharedConditions(figures)
  const metrics = metricsOf(figures, id, shared)
  const [first] = metrics
  const overview = overviewChart(id, title, metrics, comparisonOf, look)
  return {
    id,
    title,
    part,
    shared,
    contenders,
    // One dot says no more than the table.
    overview: figures.filter((figure) => comparisonOf(figure) !== undefined).length > 1 ? overview : undefined,
    metrics: metrics.map((metric) => metricSection(metric, comparisonOf, look)),
    headlines: first === undefined ? [] : headlinesOf(first, id, title, comparisonOf, look),
  }
}

/** Baselines and others are counted apart. */
function contendersOf(figures: readonly Figure[]): readonly Contender[] {
  const baselines = new Set(figures.filter(({ isBaseline }) => isBaseline).map(({ contender }) => contender))
  const others = new Set(figures.map(({ contender }) => contender).filter((name) => !baselines.has(name)))
  return [
    ...[...baselines].map((name, place) => ({ name, isBaseline: true, place })),
    ...[...others].map((name, place) => ({ name, isBaseline: false, place })),
  ]
}

function sharedConditions(figures: readonly Figure[]): Figure['at'] {
  const [first, ...others] = figures
  return Object.fromEntries(
    Object.entries(first?.at ?? {}).filter(([name, value]) => others.every(({ at }) => at[name] === value)),
  )
}

function metricsOf(figures: readonly Figure[], section: string, shared: Figure['at']): readonly MetricFigures[] {
  const byMetric = new Map<string, Figure[]>()
  for (const figure of figures) {
    const key = JSON.stringify([figure.metric, figure.unit, figure.better])
    const members = byMetric.get(key) ?? []
    byMetric.set(key, members)
    members.push(figure)
  }
  const nextId = uniqueIds()
  return [...byMetric.values()].flatMap((members) => {
    const [first] = members
    if (first === undefined) return []
    const names = new Set(members.flatMap(({ at }) => Object.keys(at)))
    const varying = [...names].filter((name) => !(name in shared))
    return [{ id: nextId(`${section}-${slug(first.metric)}`), first, figures: members, varying }]
  })
}

function metricSection(
  metric: MetricFigures,
  comparisonOf: (figure: Figure) => Comparison | undefined,
  look: Look,
): MetricSection {
  const rows = metric.figures.map((figure) => ({
    contender: look(figure.contender),
    at: figure.at,
    spread: spreadOf(figure.samples),
    rounds: figure.samples.length,
    tail: TAILS.map((percentile) => valueAt(figure, percentile)),
    comparison: comparisonOf(figure),
  }))
  const hasTails = rows.some(({ tail }) => tail.some((value) => value !== undefined))
  return { ...metric, charts: chartsOf(metric, look), rows, hasTails }
}

/** That of the first known percentile that is not below. */
function valueAt({ distribution = [] }: Figure, percentile: number): number | undefined {
  return distribution.find((point) => point.percentile >= percentile - 1e-9)?.value
}

function headlinesOf(
  { first, figures, varying }: MetricFigures,
  section: string,
  title: string,
  comparisonOf: (figure: Figure) => Comparison | undefined,
  look: Look,
): readonly Headline[] {
  return gainsOf(figures, varying, comparisonOf, look).map(({ contender, mean, gains }) => {
    const comparisons = figures
      .filter((figure) => figure.contender === contender.name)
      .flatMap((figure) => comparisonOf(figure) ?? [])
    const count = (verdict: Verdict): number => comparisons.filter((each) => each.verdict === verdict).length
    return {
      section,
      title,
      metric: first.metric,
      contender,
      baselines: [...new Set(comparisons.map(({ baseline }) => baseline))],
      mean,
      least: Math.min(...gains.map(({ gain }) => gain)),
      most: Math.max(...gains.map(({ gain }) => gain)),
      verdicts: { better: count('better'), worse: count('worse'), even: count('even'), unclear: count('unclear') },
    }
  })
}

/** The second of a name is `name-2`. */
function uniqueIds(): (wanted: string) => string {
  const taken = new Set<string>()
  return (wanted) => {
    let id = wanted
    for (let number = 2; taken.has(id); number++) id = `${wanted}-${String(number)}`
    taken.add(id)
    return id
  }
}
