/** Which charts the figures of one metric make. */
import type {
  Chart,
  Contender,
  GainsOf,
  OverviewChart,
  PercentileChart,
  RoundsChart,
  ScalingChart,
} from '../charts/chart.js'
import type { Figure } from '../figure.js'
import type { Comparison } from './comparison.js'
import { formatConditions, formatName } from '../quantities.js'
import { slug } from '../slug.js'
import { geometricMean, spreadOf } from '../spread.js'

/** Figures of one metric, unit and direction. */
export interface MetricFigures {
  /** Of the page's element. */
  readonly id: string
  /** There is at least one. */
  readonly first: Figure
  readonly figures: readonly Figure[]
  /** The conditions that differ among them. */
  readonly varying: readonly string[]
}

export type Look = (name: string) => Contender

export function chartsOf(metric: MetricFigures, look: Look): readonly Chart[] {
  const curves = metric.varying.map((over) => scalingChart(metric, over, look))
  return [...curves, percentileChart(metric, look), roundsChart(metric, look)].filter((chart) => chart !== undefined)
}

/** Undefined unless the condition is a number, and somebody has been measured at two values of it. */
function scalingChart(metric: MetricFigures, over: string, look: Look): ScalingChart | undefined {
  const figures = metric.figures.filter(({ at }) => typeof at[over] === 'number')
  const facets = groups(
    figures,
    metric.varying.filter((name) => name !== over),
  )
    .map(({ label, members }) => {
      const lines = [...new Set(members.map(({ contender }) => contender))].map((name) => ({
        contender: look(name),
        points: members
          .filter(({ contender }) => contender === name)
          .map(({ at, samples }) => ({ x: Number(at[over]), spread: spreadOf(samples) }))
          .sort((one, other) => one.x - other.x),
      }))
      return { label, lines }
    })
    .filter(({ lines }) => lines.some(({ points }) => points.length >= 2))
  if (facets.length === 0) return undefined
  const { metric: title, unit, better } = metric.first
  const name = formatName(over)
  return {
    kind: 'scaling',
    id: `${metric.id}-over-${slug(name)}`,
    title: `${title}, by ${name}`,
    unit,
    better,
    over,
    facets,
  }
}

function percentileChart({ id, first, figures, varying }: MetricFigures, look: Look): PercentileChart | undefined {
  const facets = groups(figures, varying)
    .map(({ label, members }) => ({
      label,
      lines: members.flatMap(({ contender, distribution = [] }) =>
        distribution.length === 0 ? [] : [{ contender: look(contender), points: distribution }],
      ),
    }))
    .filter(({ lines }) => lines.length > 0)
  if (facets.length === 0) return undefined
  const { metric, unit, better } = first
  return { kind: 'percentiles', id: `${id}-percentiles`, title: `${metric}, every value`, unit, better, facets }
}

/** Undefined where nobody has had two rounds. */
function roundsChart({ id, first, figures, varying }: MetricFigures, look: Look): RoundsChart | undefined {
  const facets = groups(figures, varying)
    .filter(({ members }) => members.some(({ samples }) => samples.length >= 2))
    .map(({ label, members }) => ({
      label,
      rows: members.map(({ contender, samples }) => ({
        contender: look(contender),
        samples,
        spread: spreadOf(samples),
      })),
    }))
  if (facets.length === 0) return undefined
  const { metric, unit, better } = first
  return { kind: 'rounds', id: `${id}-rounds`, title: `${metric}, round by round`, unit, better, facets }
}

/** Undefined where nothing is compared. */
export function overviewChart(
  id: string,
  scenario: string,
  metrics: readonly MetricFigures[],
  comparisonOf: (figure: Figure) => Comparison | undefined,
  look: Look,
): OverviewChart | undefined {
  const rows = metrics
    .map(({ first, figures, varying }) => ({
      metric: first.metric,
      contenders: gainsOf(figures, varying, comparisonOf, look),
    }))
    .filter(({ contenders }) => contenders.length > 0)
  if (rows.length === 0) return undefined
  return { kind: 'overview', id: `${id}-overview`, title: `${scenario}, beside the baseline`, rows }
}

/** Of each contender that is compared with something. */
export function gainsOf(
  figures: readonly Figure[],
  varying: readonly string[],
  comparisonOf: (figure: Figure) => Comparison | undefined,
  look: Look,
): readonly GainsOf[] {
  const byContender = new Map<string, { at: string; gain: number }[]>()
  for (const figure of figures) {
    const comparison = comparisonOf(figure)
    if (comparison === undefined) continue
    const gains = byContender.get(figure.contender) ?? []
    byContender.set(figure.contender, gains)
    gains.push({ at: formatConditions(only(figure.at, varying)), gain: comparison.gain })
  }
  return [...byContender].map(([name, gains]) => ({
    contender: look(name),
    mean: geometricMean(gains.map(({ gain }) => gain)),
    gains,
  }))
}

/** By their values of some conditions, in order of appearance. One group has no label. */
function groups(
  figures: readonly Figure[],
  names: readonly string[],
): readonly { readonly label: string; readonly members: readonly Figure[] }[] {
  const byLabel = new Map<string, Figure[]>()
  for (const figure of figures) {
    const label = formatConditions(only(figure.at, names)) || `without ${names.map(formatName).join(', ')}`
    const members = byLabel.get(label) ?? []
    byLabel.set(label, members)
    members.push(figure)
  }
  return [...byLabel].map(([label, members]) => ({ label: byLabel.size === 1 ? '' : label, members }))
}

function only(at: Figure['at'], names: readonly string[]): Figure['at'] {
  return Object.fromEntries(Object.entries(at).filter(([name]) => names.includes(name)))
}
