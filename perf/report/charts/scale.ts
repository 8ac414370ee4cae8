/** Axes that may be logarithmic: where a value lies, and which values have a tick. */

export interface Scale {
  readonly min: number
  readonly max: number
  /** In values, not in places. */
  readonly ticks: readonly number[]
  place(value: number): number
  value(place: number): number
}

/** From here on equal distances would hide what is small. */
const WIDE = 12
const MOST_TICKS = 7

/** Of values: logarithmic if they are far apart, otherwise from zero. */
export function scaleOf(values: readonly number[]): Scale {
  const least = Math.min(...values)
  const most = Math.max(...values)
  return least > 0 && most / least >= WIDE ? logarithmic(least, most) : linear(Math.min(0, least), Math.max(0, most))
}

/** Of values that need no zero, such as rounds beside one another. */
export function closeScaleOf(values: readonly number[]): Scale {
  const least = Math.min(...values)
  const most = Math.max(...values)
  if (least > 0 && most / least >= WIDE) return logarithmic(least, most)
  const air = (most - least) * 0.08 || Math.abs(most) * 0.1 || 1
  return linear(least - air, most + air)
}

/** Of a condition: a tick at each of its values. */
export function conditionScaleOf(values: readonly number[]): Scale {
  const ticks = [...new Set(values)].sort((a, b) => a - b)
  const least = ticks[0] ?? 0
  const most = ticks.at(-1) ?? 1
  const isWide = least > 0 && most / least >= 8
  const scale = isWide ? logarithmic(least, most) : linear(least, most)
  const air = (scale.place(most) - scale.place(least)) * 0.04
  return { ...scale, min: scale.place(least) - air, max: scale.place(most) + air, ticks }
}

/** Percentiles, with as much room for each further nine. The largest value has a place of its own behind them. */
export function percentileScaleOf(percentiles: readonly number[]): Scale {
  const tail = (percentile: number): number => -Math.log10(1 - percentile / 100)
  const last = Math.max(1, ...percentiles.filter((percentile) => percentile < 100).map(tail))
  const end = last + 0.35
  const place = (percentile: number): number => (percentile >= 100 ? end : tail(percentile))
  const ticks = [0, 50, 90, 99, 99.9, 99.99, 99.999].filter((tick) => tail(tick) <= last)
  return {
    min: 0,
    max: end,
    ticks: [...ticks, 100],
    place,
    value: (at) => (at >= end - 1e-9 ? 100 : (1 - 10 ** -at) * 100),
  }
}

/** Of how many times better: 1 lies in the middle. */
export function gainScaleOf(gains: readonly number[]): Scale {
  const farthest = Math.max(1.25, ...gains.map((gain) => Math.max(gain, 1 / gain))) * 1.1
  const steps = [1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 1_000].filter((step) => step <= farthest)
  const every = Math.ceil((steps.length - 1) / 2)
  const kept = steps.slice(1).filter((_, index, { length }) => (length - 1 - index) % every === 0)
  return {
    min: -Math.log(farthest),
    max: Math.log(farthest),
    ticks: [...kept.map((step) => 1 / step).reverse(), 1, ...kept],
    place: Math.log,
    value: Math.exp,
  }
}

function linear(from: number, to: number): Scale {
  const span = to - from || 1
  const rough = span / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 2.5, 5, 10].find((times) => times * power >= rough) ?? 10) * power
  const ticks: number[] = []
  for (let count = Math.ceil(from / step - 1e-9); count * step <= to + span * 0.06; count++) {
    ticks.push(Number((count * step).toPrecision(12)))
  }
  return { min: from, max: to + span * 0.06, ticks, place: (value) => value, value: (place) => place }
}

function logarithmic(least: number, most: number): Scale {
  const min = Math.log10(least) - 0.08
  const max = Math.log10(most) + 0.08
  const inSteps = (steps: readonly number[]): readonly number[] => {
    const ticks: number[] = []
    for (let decade = Math.floor(min); decade <= max; decade++) {
      for (const step of steps) {
        const place = decade + Math.log10(step)
        if (place >= min && place <= max) ticks.push(Number((step * 10 ** decade).toPrecision(12)))
      }
    }
    return ticks
  }
  const choices = [[1, 2, 5], [1, 3], [1]].map(inSteps)
  const ticks = choices.find((each) => each.length <= MOST_TICKS) ?? choices.at(-1) ?? []
  return { min, max, ticks, place: Math.log10, value: (place) => 10 ** place }
}
