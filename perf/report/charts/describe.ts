/** A chart in a sentence or two, for whoever does not see it. */
import type { Chart } from './chart.js'
import { formatCondition, formatTimes, formatValue } from '../quantities.js'

/** `facet`: the chosen set of conditions. */
export function describe(chart: Chart, facet: number): string {
  const said = sentences(chart, facet)
  return `${chart.title}. ${said.join('. ')}.`
}

function sentences(chart: Chart, facet: number): readonly string[] {
  switch (chart.kind) {
    case 'overview':
      return chart.rows.flatMap(({ metric, contenders }) =>
        contenders.map(({ contender, mean }) => {
          const times = formatTimes(Math.max(mean, 1 / mean))
          return `${metric}, ${contender.name}: ${times} ${mean >= 1 ? 'better' : 'worse'} on average`
        }),
      )
    case 'scaling': {
      const { over, unit, facets } = chart
      return facetSentences(facets[facet], ({ lines }) =>
        lines.map(({ contender, points }) => {
          const [first, last] = [points[0], points.at(-1)]
          const ends = first === last ? [first] : [first, last]
          const said = ends.flatMap((point) =>
            point === undefined
              ? []
              : [`${formatValue(point.spread.median, unit)} at ${formatCondition(over, point.x)}`],
          )
          return `${contender.name}: ${said.join(', ')}`
        }),
      )
    }
    case 'percentiles': {
      const { unit, facets } = chart
      return facetSentences(facets[facet], ({ lines }) =>
        lines.map(({ contender, points }) => {
          const middle = points.find(({ percentile }) => percentile >= 50)
          const last = points.at(-1)
          if (middle === undefined || last === undefined) return contender.name
          return `${contender.name}: median ${formatValue(middle.value, unit)}, largest ${formatValue(last.value, unit)}`
        }),
      )
    }
    case 'rounds': {
      const { unit, facets } = chart
      return facetSentences(facets[facet], ({ rows }) =>
        rows.map(({ contender, spread }) => {
          const range = `${formatValue(spread.least, unit)} to ${formatValue(spread.most, unit)}`
          return `${contender.name}: median ${formatValue(spread.median, unit)}, from ${range}`
        }),
      )
    }
  }
}

function facetSentences<Facet extends { readonly label: string }>(
  facet: Facet | undefined,
  say: (facet: Facet) => readonly string[],
): readonly string[] {
  if (facet === undefined) return []
  return facet.label === '' ? say(facet) : [facet.label, ...say(facet)]
}
