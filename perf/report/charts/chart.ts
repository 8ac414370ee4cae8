/** What is drawn, before anybody draws it: plain data, which goes into the page as JSON. */
import type { Percentile, Unit } from '../figure.js'
import type { Spread } from '../spread.js'

/** Who is drawn how. */
export interface Contender {
  readonly name: string
  readonly isBaseline: boolean
  /** Its place among the contenders of its kind, which gives it its colour and its mark. */
  readonly place: number
}

interface Common {
  /** Of the page's element and of the picture's file. */
  readonly id: string
  readonly title: string
  readonly unit: Unit
  readonly better: 'lower' | 'higher'
}

/** What is drawn under one set of conditions. */
interface Facet {
  /** The conditions in words; empty if there is only one set. */
  readonly label: string
}

export interface ScalingLine {
  readonly contender: Contender
  readonly points: readonly { readonly x: number; readonly spread: Spread }[]
}

/** A metric over a condition that is a number. */
export interface ScalingChart extends Common {
  readonly kind: 'scaling'
  /** The condition. */
  readonly over: string
  readonly facets: readonly (Facet & { readonly lines: readonly ScalingLine[] })[]
}

export interface PercentileLine {
  readonly contender: Contender
  readonly points: readonly Percentile[]
}

/** All values of all rounds, as percentiles. */
export interface PercentileChart extends Common {
  readonly kind: 'percentiles'
  readonly facets: readonly (Facet & { readonly lines: readonly PercentileLine[] })[]
}

export interface RoundsRow {
  readonly contender: Contender
  readonly samples: readonly number[]
  readonly spread: Spread
}

/** Each round, and how they lie. */
export interface RoundsChart extends Common {
  readonly kind: 'rounds'
  readonly facets: readonly (Facet & { readonly rows: readonly RoundsRow[] })[]
}

export interface GainsOf {
  readonly contender: Contender
  readonly mean: number
  readonly gains: readonly { readonly at: string; readonly gain: number }[]
}

/** How many times better than the baseline: every metric of a scenario, every set of conditions. */
export interface OverviewChart {
  readonly kind: 'overview'
  readonly id: string
  readonly title: string
  readonly rows: readonly { readonly metric: string; readonly contenders: readonly GainsOf[] }[]
}

export type Chart = ScalingChart | PercentileChart | RoundsChart | OverviewChart

/** The words for each set of conditions; one that is empty for a chart that has only one. */
export function facetLabels(chart: Chart): readonly string[] {
  return chart.kind === 'overview' ? [''] : chart.facets.map(({ label }) => label)
}

/** Who is in it, in order. */
export function contendersIn(chart: Chart): readonly Contender[] {
  const all = new Map<string, Contender>()
  const add = ({ contender }: { readonly contender: Contender }): void => void all.set(contender.name, contender)
  if (chart.kind === 'overview') for (const row of chart.rows) row.contenders.forEach(add)
  else if (chart.kind === 'rounds') for (const facet of chart.facets) facet.rows.forEach(add)
  else for (const facet of chart.facets) facet.lines.forEach(add)
  return [...all.values()]
}
