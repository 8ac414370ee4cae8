/** A chart's place in the page: the browser draws it there. */
import { facetLabels, type Chart } from '../charts/chart.js'
import { heightOf } from '../charts/options.js'
import { describe } from './describe.js'
import { legend } from './legend.js'
import { markup, type Markup } from './markup.js'

export function chartMarkup(chart: Chart): Markup {
  const { id } = chart
  return markup`<figure class="chart ${chart.kind}" id="${id}" data-chart="${id}">
<figcaption>${captionOf(chart)}</figcaption>
${chooser(chart)}${legend(chart)}
<div class="plot" role="img" aria-label="${describe(chart, 0)}" style="height:${heightOf(chart)}px"></div>
</figure>
`
}

function captionOf(chart: Chart): string {
  switch (chart.kind) {
    case 'overview':
      return 'Every metric beside the baseline. Large marks are averages, small ones are single conditions; to the right is better.'
    case 'scaling':
      return `By ${chart.over}: medians, with the range of the rounds.`
    case 'percentiles':
      return 'Every value of all rounds: how much of them took at most so long.'
    case 'rounds':
      return 'Round by round: median, quartiles and range.'
  }
}

function chooser(chart: Chart): Markup | undefined {
  const labels = facetLabels(chart)
  if (labels.length < 2) return undefined
  const options = labels.map((label, index) => markup`<option value="${index}">${label}</option>`)
  return markup`<label class="chooser">Conditions <select autocomplete="off">${options}</select></label>`
}
