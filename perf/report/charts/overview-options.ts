/** Every metric of a scenario as times of the baseline; whatever the metric, what lies to the right is better. */
import type { CustomSeriesOption } from 'echarts/charts'
import type { EChartsCoreOption } from 'echarts/core'
import { formatTimes } from '../quantities.js'
import { axis, frame, rowsAxis, shownItems, tooltip } from './axes.js'
import { contendersIn, type OverviewChart } from './chart.js'
import { gainScaleOf } from './scale.js'
import { styleOf, type Theme } from './theme.js'

interface Dot {
  readonly row: number
  readonly gain: number
  readonly words: string
}

export function overviewOptions(chart: OverviewChart, theme: Theme): EChartsCoreOption {
  const contenders = contendersIn(chart)
  const across = gainScaleOf(
    chart.rows.flatMap((row) => row.contenders.flatMap(({ gains }) => gains.map(({ gain }) => gain))),
  )
  const dots = contenders.flatMap((contender) => {
    const small: Dot[] = []
    const large: Dot[] = []
    chart.rows.forEach(({ metric, contenders: all }, row) => {
      const one = all.find((each) => each.contender.name === contender.name)
      if (one === undefined) return
      for (const { at, gain } of one.gains) small.push({ row, gain, words: `${metric}, ${at}\n${inWords(gain)}` })
      large.push({ row, gain: one.mean, words: `${metric}, on average\n${inWords(one.mean)}` })
    })
    return [
      { contender, dots: small, size: 5, opacity: 0.5 },
      { contender, dots: large, size: 12, opacity: 1 },
    ]
  })
  // Contenders lie below one another, so that none hides another.
  const offset = ({ name }: { readonly name: string }): number => {
    const step = Math.min(8, 20 / contenders.length)
    return (contenders.findIndex((each) => each.name === name) - (contenders.length - 1) / 2) * step + 3
  }
  return {
    ...frame(theme),
    ...tooltip(theme, 'item', (shown) => {
      const [item] = shownItems(shown)
      const series = dots[(item?.seriesIndex ?? 0) - 1]
      const dot = series?.dots[item?.dataIndex ?? 0]
      return series === undefined || dot === undefined ? '' : `${series.contender.name}\n${dot.words}`
    }),
    xAxis: axis(across, theme, {
      format: (gain) => {
        // Both sides have the same ticks: words at the ends are enough.
        const isEnd = Math.abs(Math.log(gain)) > Math.log(Math.max(...across.ticks)) - 1e-6
        return isEnd || Math.abs(gain - 1) < 0.005 ? inWords(gain) : inWords(gain).replace(/ .*/, '')
      },
    }),
    yAxis: rowsAxis(
      chart.rows.map(({ metric }) => metric),
      theme,
    ),
    series: [
      { type: 'custom', silent: true, renderItem: evenLine(theme), data: [[0, 0]] },
      ...dots.map((series) => {
        const { colour, mark } = styleOf(series.contender, theme)
        return {
          type: 'scatter',
          name: series.contender.name,
          symbol: mark,
          symbolSize: series.size,
          symbolOffset: [0, offset(series.contender)],
          itemStyle: { color: colour, opacity: series.opacity },
          data: series.dots.map(({ row, gain }) => [across.place(gain), row]),
        }
      }),
    ],
  }
}

/** Where contender and baseline are the same. */
function evenLine(theme: Theme): CustomSeriesOption['renderItem'] {
  return ({ coordSys }, api) => {
    const { y, height } = coordSys as unknown as { readonly y: number; readonly height: number }
    const [x = 0] = api.coord([0, 0])
    return {
      type: 'line',
      z2: -1,
      shape: { x1: x, x2: x, y1: y, y2: y + height },
      style: { stroke: theme.soft, lineWidth: 1.5 },
    }
  }
}

function inWords(gain: number): string {
  if (Math.abs(gain - 1) < 0.005) return 'same'
  const times = formatTimes(Math.max(gain, 1 / gain))
    .replace(/(\.\d*?)0+×/, '$1×')
    .replace('.×', '×')
  return `${times} ${gain > 1 ? 'better' : 'worse'}`
}
