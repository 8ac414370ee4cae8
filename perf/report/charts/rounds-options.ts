/** Rounds as dots, on a box of their quartiles with the median and the range. */
import type { CustomSeriesOption } from 'echarts/charts'
import type { EChartsCoreOption } from 'echarts/core'
import { formatValue } from '../quantities.js'
import { axis, frame, rowsAxis, shownItems, tooltip } from './axes.js'
import type { RoundsChart, RoundsRow } from './chart.js'
import { closeScaleOf, type Scale } from './scale.js'
import { styleOf, type Theme } from './theme.js'

/** Half the height of a box. */
const HALF = 7

export function roundsOptions({ unit }: RoundsChart, rows: readonly RoundsRow[], theme: Theme): EChartsCoreOption {
  const across = closeScaleOf(rows.flatMap(({ samples }) => samples))
  return {
    ...frame(theme),
    ...tooltip(theme, 'item', (shown) => {
      const [item] = shownItems(shown)
      const row = rows[(item?.seriesIndex ?? 0) - 1]
      const sample = row?.samples[item?.dataIndex ?? 0]
      if (row === undefined || sample === undefined || item === undefined) return ''
      return `${row.contender.name}\nround ${String(item.dataIndex + 1)}: ${formatValue(sample, unit)}`
    }),
    xAxis: axis(across, theme, { format: (value) => formatValue(value, unit) }),
    yAxis: rowsAxis(
      rows.map(({ contender, spread }) => `${contender.name}: ${formatValue(spread.median, unit)}`),
      theme,
    ),
    series: [
      {
        type: 'custom',
        silent: true,
        renderItem: box(rows, across, theme),
        data: rows.map(({ spread }, row) => [across.place(spread.median), row]),
      },
      ...rows.map(({ contender, samples }, row) => {
        const { colour, mark } = styleOf(contender, theme)
        return {
          type: 'scatter',
          name: contender.name,
          symbol: mark,
          symbolSize: 7,
          // One above the other where rounds lie close.
          data: samples.map((sample, round) => ({
            value: [across.place(sample), row],
            symbolOffset: [0, ((round % 3) - 1) * 5],
          })),
          itemStyle: contender.isBaseline
            ? { color: theme.paper, borderColor: colour, borderWidth: 1.5, opacity: 1 }
            : { color: colour, opacity: 0.85 },
        }
      }),
    ],
  }
}

function box(rows: readonly RoundsRow[], across: Scale, theme: Theme): CustomSeriesOption['renderItem'] {
  return ({ dataIndex }, api) => {
    const row = rows[dataIndex]
    if (row === undefined) return undefined
    const { spread, contender } = row
    const { colour } = styleOf(contender, theme)
    const x = (value: number): number => api.coord([across.place(value), dataIndex])[0] ?? 0
    const [, y = 0] = api.coord([0, dataIndex])
    const line = (x1: number, x2: number, y1: number, y2: number, lineWidth: number) => ({
      type: 'line' as const,
      shape: { x1, y1, x2, y2 },
      style: { stroke: colour, lineWidth },
    })
    const [left, right, middle] = [x(spread.lowerQuartile), x(spread.upperQuartile), x(spread.median)]
    return {
      type: 'group',
      children: [
        line(x(spread.least), x(spread.most), y, y, 1),
        {
          type: 'rect',
          shape: { x: left, y: y - HALF, width: Math.max(1, right - left), height: HALF * 2, r: 2 },
          style: { fill: colour, opacity: 0.22 },
        },
        line(middle, middle, y - HALF - 2, y + HALF + 2, 2.5),
      ],
    }
  }
}
