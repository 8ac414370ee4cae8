/** What ECharts is told for each kind of chart. Pure: page and pictures draw the same. */
import type { EChartsCoreOption } from 'echarts/core'
import type { Chart } from './chart.js'
import { overviewOptions } from './overview-options.js'
import { percentileOptions } from './percentile-options.js'
import { roundsOptions } from './rounds-options.js'
import { scalingOptions } from './scaling-options.js'
import type { Theme } from './theme.js'

/** `facet`: which set of conditions; undefined if the chart has no such one. */
export function optionsOf(chart: Chart, facet: number, theme: Theme): EChartsCoreOption | undefined {
  switch (chart.kind) {
    case 'overview':
      return overviewOptions(chart, theme)
    case 'scaling': {
      const chosen = chart.facets[facet]
      return chosen === undefined ? undefined : scalingOptions(chart, chosen.lines, theme)
    }
    case 'percentiles': {
      const chosen = chart.facets[facet]
      return chosen === undefined ? undefined : percentileOptions(chart, chosen.lines, theme)
    }
    case 'rounds': {
      const chosen = chart.facets[facet]
      return chosen === undefined ? undefined : roundsOptions(chart, chosen.rows, theme)
    }
  }
}

/** Pixels that it needs. */
export function heightOf(chart: Chart): number {
  switch (chart.kind) {
    case 'overview':
      return 66 + chart.rows.length * 54
    case 'rounds':
      return 58 + Math.max(...chart.facets.map(({ rows }) => rows.length)) * 54
    case 'scaling':
    case 'percentiles':
      return 300
  }
}
