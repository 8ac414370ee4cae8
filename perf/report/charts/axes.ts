/** Axes, grid and lines that all charts have. */
import type { Scale } from './scale.js'
import { styleOf, SANS, type Theme } from './theme.js'
import type { Contender } from './chart.js'

const FONT_SIZE = 12

export function frame(theme: Theme): object {
  return {
    animation: false,
    textStyle: { fontFamily: SANS, fontSize: FONT_SIZE, color: theme.soft },
    grid: { left: 4, right: 20, top: 26, bottom: 6, outerBoundsMode: 'same', outerBoundsContain: 'all' },
  }
}

interface AxisWords {
  readonly name?: string
  readonly format: (value: number) => string
}

export function axis(scale: Scale, theme: Theme, { name, format }: AxisWords): object {
  const customValues = scale.ticks.map((tick) => scale.place(tick))
  return {
    type: 'value',
    min: scale.min,
    max: scale.max,
    axisLine: { show: false },
    axisTick: { show: false, customValues },
    axisLabel: {
      customValues,
      hideOverlap: true,
      color: theme.soft,
      fontSize: FONT_SIZE,
      // Back from its place a tick is only nearly what it was.
      formatter: (place: number) => format(Number(scale.value(place).toPrecision(9))),
    },
    splitLine: { show: true, lineStyle: { color: theme.rule } },
    ...(name === undefined ? {} : { name, nameTextStyle: { color: theme.soft, fontSize: FONT_SIZE } }),
  }
}

/** Below the axis, in its middle. */
export const nameBelow = { nameLocation: 'middle', nameGap: 28 }

/** Above an upright axis, from its left. */
export const nameAbove = { nameLocation: 'end', nameGap: 10 }

/** Categories from top to bottom, each named above its line, which leaves all of the width to the values. */
export function rowsAxis(names: readonly string[], theme: Theme): object {
  return {
    type: 'category',
    inverse: true,
    data: names,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: {
      inside: true,
      interval: 0,
      align: 'left',
      verticalAlign: 'bottom',
      margin: 4,
      padding: [0, 0, 14, 0],
      color: theme.ink,
      fontSize: FONT_SIZE,
    },
    z: 3,
  }
}

/** How a contender's line and marks look. */
export function lineStyle(contender: Contender, theme: Theme): object {
  const { colour, mark, dash } = styleOf(contender, theme)
  return {
    name: contender.name,
    symbol: mark,
    symbolSize: 8,
    color: colour,
    lineStyle: { color: colour, width: 2, type: dash },
    itemStyle: contender.isBaseline ? { color: theme.paper, borderColor: colour, borderWidth: 2 } : { color: colour },
  }
}

/** In text, so that no name can be markup. */
export function tooltip(theme: Theme, trigger: 'axis' | 'item', formatter: (shown: unknown) => string): object {
  return {
    tooltip: {
      trigger,
      renderMode: 'richText',
      confine: true,
      backgroundColor: theme.raised,
      borderColor: theme.rule,
      textStyle: { color: theme.ink, fontSize: FONT_SIZE, fontFamily: SANS },
      axisPointer: { type: 'line', lineStyle: { color: theme.soft, type: 'solid' } },
      formatter,
    },
  }
}

/** A line, and which of its points. */
interface ShownPoint<Point> {
  readonly name: string
  readonly point: Point
}

/** The points of lines, one a series, that a tooltip is about. */
export function shownPoints<Point>(
  shown: unknown,
  lines: readonly { readonly contender: Contender; readonly points: readonly Point[] }[],
): readonly ShownPoint<Point>[] {
  return shownItems(shown).flatMap(({ seriesIndex, dataIndex }) => {
    const line = lines[seriesIndex]
    const point = line?.points[dataIndex]
    return line === undefined || point === undefined ? [] : [{ name: line.contender.name, point }]
  })
}

/** Which series and items a tooltip is about. */
export function shownItems(shown: unknown): readonly { readonly seriesIndex: number; readonly dataIndex: number }[] {
  return (Array.isArray(shown) ? shown : [shown]) as { seriesIndex: number; dataIndex: number }[]
}
