/** What a picture shows: a chart under one set of conditions. */
import { slug } from '../slug.js'
import { facetLabels, type Chart } from './chart.js'

export interface Motif {
  /** `latency-round-trip-rounds-64-b` */
  readonly name: string
  readonly chart: Chart
  readonly facet: number
  /** The conditions in words; empty if there is only one set. */
  readonly label: string
}

export function motifsOf(charts: readonly Chart[]): readonly Motif[] {
  return charts.flatMap((chart) =>
    facetLabels(chart).map((label, facet) => {
      const name = label === '' ? chart.id : `${chart.id}-${slug(label)}`
      return { name, chart, facet, label }
    }),
  )
}
