/** A chart's place in the page: the browser draws it there. */
import { facetLabels, type Chart } from '../charts/chart.js'
import { heightOf } from '../charts/options.js'
import { describe } from '../charts/describe.js'
import { markup, type Markup } from '../markup.js'
import { formatName } from '../quantities.js'

export function chartMarkup(chart: Chart): Markup {
  const { id } = chart
  return markup`<figure class="chart ${chart.kind}" id="${id}" data-chart="${id}">
<figcaption>${captionOf(chart)}</figcaption>
${chooser(chart) ?? markup`<span></span>`}
<div class="plot" role="img" aria-label="${describe(chart, 0)}" style="height:${heightOf(chart)}px"></div>
</figure>
`
}

function captionOf(chart: Chart): string {
  switch (chart.kind) {
    case 'overview':
      return 'Every metric beside the baseline. Large marks are averages, small ones are single conditions; to the right is better.'
    case 'scaling':
      return `By ${formatName(chart.over)}: medians, with the range of the rounds.`
    case 'percentiles':
      return 'All values of all rounds by percentile. The tail has most of the room.'
    case 'rounds':
      return 'Round by round, with median, quartiles and range.'
  }
}

function chooser(chart: Chart): Markup | undefined {
  const labels = facetLabels(chart)
  if (labels.length < 2) return undefined
  const options = labels.map((label, index) => markup`<option value="${index}">${label}</option>`)
  return markup`<label class="chooser">Conditions <select autocomplete="off">${options}</select></label>`
}
