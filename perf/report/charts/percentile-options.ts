/** All values as percentile curves: the tail, which medians hide, has most of the room. */
import type { EChartsCoreOption } from 'echarts/core'
import { formatValue } from '../quantities.js'
import { axis, frame, lineStyle, nameAbove, nameBelow, shownPoints, tooltip } from './axes.js'
import type { PercentileChart, PercentileLine } from './chart.js'
import { percentileScaleOf, scaleOf } from './scale.js'
import type { Theme } from './theme.js'

export function percentileOptions(
  { unit, better }: PercentileChart,
  lines: readonly PercentileLine[],
  theme: Theme,
): EChartsCoreOption {
  const points = lines.flatMap((line) => line.points)
  const across = percentileScaleOf(points.map(({ percentile }) => percentile))
  const up = scaleOf(points.map(({ value }) => value))
  return {
    ...frame(theme),
    ...tooltip(theme, 'axis', (shown) => {
      const items = shownPoints(shown, lines)
      const [first] = items
      if (first === undefined) return ''
      const said = items.map(({ name, point }) => `${name}: ${formatValue(point.value, unit)}`)
      return [`percentile ${formatPercentile(first.point.percentile)}`, ...said].join('\n')
    }),
    xAxis: {
      ...axis(across, theme, { name: 'percentile', format: formatPercentile }),
      ...nameBelow,
    },
    yAxis: {
      ...axis(up, theme, { name: `${better} is better`, format: (value) => formatValue(value, unit) }),
      ...nameAbove,
      nameTextStyle: { color: theme.soft, align: 'left' },
    },
    series: lines.map((line) => ({
      ...lineStyle(line.contender, theme),
      type: 'line',
      showSymbol: false,
      data: line.points.map(({ percentile, value }) => [across.place(percentile), up.place(value)]),
    })),
  }
}

function formatPercentile(percentile: number): string {
  if (percentile >= 100 - 1e-9) return 'max'
  return percentile <= 1e-9 ? 'min' : String(Number(percentile.toFixed(4)))
}
