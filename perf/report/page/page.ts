/** The whole page, as text: nothing in it is fetched from anywhere. */
import { createHash } from 'node:crypto'
import { isBusy } from '../../harness/machine.js'
import { clientScript } from './client-files.js'
import { commandText } from './command-text.js'
import type { Contender } from '../charts/chart.js'
import { chartMarkup } from './figures-markup.js'
import { legend } from './legend.js'
import { machineLine, machineMarkup, machinesOf } from './machines.js'
import { jsonMarkup, markup, Markup } from '../markup.js'
import type { Part } from './part.js'
import { formatCondition } from '../quantities.js'
import { chartsIn, sectionsOf, type MetricSection, type Row, type Section } from './sections.js'
import { styles } from './styles.js'
import { headlineTable, metricTable } from './tables.js'

/** Longer tables are folded. */
const MOST_OPEN_ROWS = 12

/** `day`: when it is written, in words. */
export async function pageOf(parts: readonly Part[], day: string): Promise<string> {
  const sections = sectionsOf(parts)
  const script = await clientScript()
  // Names in figures cannot run anything, and nothing can be fetched, whatever else is in the page.
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    "style-src 'unsafe-inline'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>symphony-transport: measurements</title>
<style>${new Markup(await styles())}</style>
</head>
<body>
${opening(parts, day)}
<main>
${contents(sections)}
${headlines(sections)}
${sections.map(sectionMarkup)}
${machines(parts)}
${reading}
</main>
<footer><p>Charts: Apache ECharts, under the Apache License 2.0.</p></footer>
<script type="application/json" id="charts">${jsonMarkup(chartsIn(sections))}</script>
<script>${new Markup(script)}</script>
</body>
</html>
`.text
}

function opening(parts: readonly Part[], day: string): Markup {
  const figures = parts.reduce((sum, part) => sum + part.figures.length, 0)
  const machineLines = [...new Set(parts.map(({ machine }) => machineLine(machine)))]
  return markup`<header>
<p class="over">symphony-transport</p>
<h1>Measurements</h1>
<p class="lede">Local IPC for Node.js, beside what one would use instead. Everybody is measured in the same run, in rounds that take turns.</p>
<p class="meta">${day}. ${counted(parts.length, 'run')}, ${counted(figures, 'figure')}. ${machineLines.join('; ')}.</p>
${warnings(parts).map((warning) => markup`<p class="warning" role="note"><strong>Note.</strong> ${warning}</p>`)}
<noscript><p class="warning">Charts and sorting need scripts. The tables have every figure.</p></noscript>
</header>`
}

function warnings(parts: readonly Part[]): readonly string[] {
  const wrong = parts.filter(({ right }) => !right).map(({ scenario }) => scenario)
  const busy = parts.filter(({ machine }) => isBusy(machine))
  return [
    ...(wrong.length === 0 ? [] : [`Counts were wrong in ${wrong.join(', ')}: do not trust these figures.`]),
    ...(busy.length === 0
      ? []
      : ['The machine had more to do than it has CPUs. Ratios bear that better than times; both are rough.']),
    ...(machinesOf(parts).length < 2 ? [] : ['The runs come from more than one machine: compare within a run only.']),
  ]
}

function contents(sections: readonly Section[]): Markup {
  const items = sections.map(
    ({ id, title, part }) =>
      markup`<li><a href="#${id}">${title}</a>${part.summary === '' ? '' : `: ${part.summary}`}</li>`,
  )
  return markup`<nav aria-labelledby="contents"><h2 id="contents">Contents</h2><ol>${items}</ol></nav>`
}

function headlines(sections: readonly Section[]): Markup | undefined {
  if (sections.every((section) => section.headlines.length === 0)) return undefined
  return markup`<section aria-labelledby="glance"><h2 id="glance">At a glance</h2>
<p>The first figure of each run. The average is over all conditions of the run, such as sizes.</p>
${headlineTable(sections)}</section>`
}

function sectionMarkup({ id, title, part, shared, contenders, overview, metrics }: Section): Markup {
  const conditions = Object.entries(shared).map(([name, value]) => formatCondition(name, value))
  return markup`<section class="run" aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${part.summary === '' ? undefined : markup`<p class="summary">${part.summary}</p>`}
<pre class="command" tabindex="0" aria-label="command that measures this again"><code>${commandText(part)}</code></pre>
${conditions.length === 0 ? undefined : markup`<p class="conditions">Throughout: ${conditions.join(', ')}.</p>`}
${legend(contenders)}
${overview === undefined ? undefined : chartMarkup(overview)}
${metrics.map(metricMarkup)}
</section>
`
}

function metricMarkup(metric: MetricSection): Markup {
  const { id, first, charts, rows } = metric
  const table = metricTable(metric)
  const isFolded = rows.length > MOST_OPEN_ROWS
  return markup`<section class="metric" aria-labelledby="${id}">
<h3 id="${id}">${first.metric} <small>${first.better} is better</small></h3>
${legend(contendersOf(rows))}
<div class="charts">${charts.map(chartMarkup)}</div>
${isFolded ? markup`<details><summary>All ${rows.length} figures</summary>${table}</details>` : table}
</section>
`
}

function contendersOf(rows: readonly Row[]): readonly Contender[] {
  return [...new Map(rows.map(({ contender }) => [contender.name, contender])).values()]
}

function machines(parts: readonly Part[]): Markup {
  const all = machinesOf(parts)
  const each = all.map((machine) => machineMarkup(machine, all.length === 1))
  return markup`<section aria-labelledby="machine"><h2 id="machine">${all.length === 1 ? 'Machine' : 'Machines'}</h2>
${each}</section>`
}

const reading = markup`<section aria-labelledby="reading"><h2 id="reading">How to read this</h2>
<ul>
<li>A figure is the <strong>median of its rounds</strong>. In each round everybody is measured once, so that a change of the machine's load meets all alike.</li>
<li><strong>Of baseline</strong> is the figure divided by the baseline's under the same conditions: 0.50× of a time is half of it. Of more than one baseline it is the better one.</li>
<li><strong>Better</strong> and <strong>worse</strong> stand where the difference is more than 2 % and half of the rounds, those in the middle, agree on it; where they do not, it is <strong>unclear</strong>. A smaller difference is <strong>even</strong>.</li>
<li>Times are those of this machine. Ratios carry over to others better, but not always: measure where you will run it.</li>
</ul></section>`

function counted(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
}
