/** A metric over a condition: lines of medians, each point with the rounds' range. */
import type { CustomSeriesOption } from 'echarts/charts'
import type { EChartsCoreOption } from 'echarts/core'
import { formatCondition, formatConditionValue, formatName, formatValue } from '../quantities.js'
import { axis, frame, lineStyle, nameAbove, nameBelow, shownPoints, tooltip } from './axes.js'
import type { ScalingChart, ScalingLine } from './chart.js'
import { conditionScaleOf, scaleOf } from './scale.js'
import { styleOf, type Theme } from './theme.js'

export function scalingOptions(
  { over, unit, better }: ScalingChart,
  lines: readonly ScalingLine[],
  theme: Theme,
): EChartsCoreOption {
  const points = lines.flatMap((line) => line.points)
  const across = conditionScaleOf(points.map(({ x }) => x))
  const up = scaleOf(points.flatMap(({ spread }) => [spread.least, spread.median, spread.most]))
  return {
    ...frame(theme),
    ...tooltip(theme, 'axis', (shown) => {
      const items = shownPoints(shown, lines)
      const [first] = items
      if (first === undefined) return ''
      const said = items.map(({ name, point }) => `${name}: ${formatValue(point.spread.median, unit)}`)
      return [formatCondition(over, first.point.x), ...said].join('\n')
    }),
    xAxis: {
      ...axis(across, theme, {
        name: formatName(over),
        format: (value) => formatConditionValue(over, value),
      }),
      ...nameBelow,
      splitLine: { show: false },
    },
    yAxis: {
      ...axis(up, theme, { name: `${better} is better`, format: (value) => formatValue(value, unit) }),
      ...nameAbove,
      nameTextStyle: { color: theme.soft, align: 'left' },
    },
    series: [
      ...lines.map((line) => ({
        ...lineStyle(line.contender, theme),
        type: 'line',
        data: line.points.map(({ x, spread }) => [across.place(x), up.place(spread.median)]),
      })),
      ...lines.map((line) => ({
        type: 'custom',
        silent: true,
        tooltip: { show: false },
        renderItem: whisker(styleOf(line.contender, theme).colour),
        data: line.points.map(({ x, spread }) => [across.place(x), up.place(spread.least), up.place(spread.most)]),
      })),
    ],
  }
}

function whisker(stroke: string): CustomSeriesOption['renderItem'] {
  return (_, api) => {
    const [x = 0, from = 0] = api.coord([api.value(0), api.value(1)])
    const [, to = 0] = api.coord([api.value(0), api.value(2)])
    return { type: 'line', shape: { x1: x, y1: from, x2: x, y2: to }, style: { stroke, lineWidth: 1.5, opacity: 0.6 } }
  }
}
