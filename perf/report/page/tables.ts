/** The page's tables. Each can be sorted by each column; what a cell is sorted by stands in it as data. */
import type { Figure } from '../figure.js'
import type { Comparison, Verdict } from './comparison.js'
import { legendMark } from './legend.js'
import { markup, type Markup } from '../markup.js'
import { formatConditionValue, formatName, formatTimes, formatValue } from '../quantities.js'
import { TAILS, type Headline, type MetricSection, type Row, type Section } from './sections.js'

interface Column<Item> {
  readonly head: string
  /** Numbers stand on the right. */
  readonly isNumber: boolean
  readonly isRowHead?: boolean
  /** Undefined: sorted behind all others. */
  readonly key: (item: Item) => string | number | undefined
  readonly cell: (item: Item) => Markup | string
}

export function metricTable({ first, varying, rows, hasTails }: MetricSection): Markup {
  const { metric, unit } = first
  return sortable(`All figures: ${metric}`, columnsOf(unit, varying, hasTails), rows)
}

export function headlineTable(sections: readonly Section[]): Markup {
  const headlines = sections.flatMap((section) => section.headlines)
  const columns: readonly Column<Headline>[] = [
    {
      head: 'Run',
      isNumber: false,
      key: ({ title }) => title,
      cell: ({ section, title }) => markup`<a href="#${section}">${title}</a>`,
    },
    {
      head: 'Contender',
      isNumber: false,
      isRowHead: true,
      key: ({ contender }) => contender.name,
      cell: ({ contender }) => markup`${legendMark(contender)} ${contender.name}`,
    },
    {
      head: 'On average',
      isNumber: true,
      key: ({ mean }) => mean,
      cell: gainMarkup,
    },
    {
      head: 'Worst to best',
      isNumber: true,
      key: ({ least }) => least,
      cell: ({ least, most }) => (least === most ? '–' : rangeWords(least, most)),
    },
    {
      head: 'Beside',
      isNumber: false,
      key: ({ baselines }) => baselines.join(', '),
      cell: ({ baselines }) => baselines.join(', '),
    },
    { head: 'Figure', isNumber: false, key: ({ metric }) => metric, cell: ({ metric }) => metric },
    {
      head: 'Conditions',
      isNumber: false,
      key: ({ verdicts }) => verdicts.better - verdicts.worse,
      cell: ({ verdicts }) => verdictWords(verdicts),
    },
  ]
  return sortable('The first figure of each scenario, beside its baseline', columns, headlines)
}

function columnsOf(unit: Figure['unit'], varying: readonly string[], hasTails: boolean): readonly Column<Row>[] {
  const tails = TAILS.map((percentile, index): Column<Row> => ({
    head: percentile === 100 ? 'Max' : `p${String(percentile)}`,
    isNumber: true,
    key: ({ tail }) => tail[index],
    cell: ({ tail }) => {
      const value = tail[index]
      return value === undefined ? '–' : formatValue(value, unit)
    },
  }))
  return [
    {
      head: 'Contender',
      isNumber: false,
      isRowHead: true,
      key: ({ contender }) => contender.name,
      cell: ({ contender }) => markup`${legendMark(contender)} ${contender.name}`,
    },
    ...varying.map((name): Column<Row> => ({
      head: sentence(formatName(name)),
      isNumber: true,
      key: ({ at }) => at[name],
      cell: ({ at }) => {
        const value = at[name]
        return value === undefined ? '–' : formatConditionValue(name, value)
      },
    })),
    {
      head: 'Median',
      isNumber: true,
      key: ({ spread }) => spread.median,
      cell: ({ spread }) => markup`<strong>${formatValue(spread.median, unit)}</strong>`,
    },
    {
      head: 'Range of rounds',
      isNumber: true,
      key: ({ spread }) => (spread.most - spread.least) / Math.abs(spread.median),
      cell: ({ spread, rounds }) =>
        rounds === 1 ? 'one round' : `${formatValue(spread.least, unit)} – ${formatValue(spread.most, unit)}`,
    },
    ...(hasTails ? tails : []),
    {
      head: 'Of baseline',
      isNumber: true,
      key: ({ comparison }) => comparison?.ratio,
      cell: ({ contender, comparison }) => comparisonMarkup(contender.isBaseline, comparison),
    },
  ]
}

function comparisonMarkup(isBaseline: boolean, comparison: Comparison | undefined): Markup | string {
  if (isBaseline) return 'baseline'
  if (comparison === undefined) return '–'
  const { ratio, verdict, baseline } = comparison
  return markup`<span title="beside ${baseline}">${formatTimes(ratio)} ${verdictMarkup(verdict)}</span>`
}

const SIGNS: Readonly<Record<Verdict, string>> = { better: '▲', worse: '▼', even: '=', unclear: '?' }

function verdictMarkup(verdict: Verdict): Markup {
  return markup`<span class="verdict ${verdict}"><span aria-hidden="true">${SIGNS[verdict]}</span> ${verdict}</span>`
}

function gainMarkup({ mean, verdicts }: Headline): Markup {
  const verdict = verdictOf(verdicts)
  const sign = markup`<span aria-hidden="true">${SIGNS[verdict]}</span>`
  const words = verdict === 'unclear' ? `${gainWords(mean)}, unclear` : gainWords(mean)
  return markup`<span class="verdict ${verdict}">${sign} <strong>${words}</strong></span>`
}

/** `1.9× better`. */
function gainWords(gain: number): string {
  const times = formatTimes(Math.max(gain, 1 / gain))
  return times === '1.00×' ? 'same' : `${times} ${gain > 1 ? 'better' : 'worse'}`
}

/** `1.20× to 1.40× better`. */
function rangeWords(least: number, most: number): string {
  const [from, to] = [gainWords(least), gainWords(most)]
  const [, word = ''] = to.split(' ')
  return from.endsWith(` ${word}`) ? `${from.replace(` ${word}`, '')} to ${to}` : `${from} to ${to}`
}

/** `3 better, 1 even`. */
function verdictWords(verdicts: Headline['verdicts']): string {
  return (['better', 'worse', 'even', 'unclear'] as const)
    .filter((verdict) => verdicts[verdict] > 0)
    .map((verdict) => `${String(verdicts[verdict])} ${verdict}`)
    .join(', ')
}

/** What most of the conditions say. */
function verdictOf(verdicts: Headline['verdicts']): Verdict {
  const all = Object.values(verdicts).reduce((sum, count) => sum + count, 0)
  const most = (['better', 'worse', 'even'] as const).find((verdict) => verdicts[verdict] > all / 2)
  return most ?? 'unclear'
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** In a box of its own, which alone moves sideways where there is no room. */
function sortable<Item>(caption: string, columns: readonly Column<Item>[], items: readonly Item[]): Markup {
  const heads = columns.map(
    ({ head, isNumber, isRowHead }) =>
      markup`<th scope="col" class="${isRowHead === true ? 'who' : isNumber ? 'number' : 'words'}" aria-sort="none"><button type="button">${head}<span class="arrow" aria-hidden="true"></span></button></th>`,
  )
  const rows = items.map((item) => markup`<tr>${columns.map((column) => cellMarkup(column, item))}</tr>\n`)
  return markup`<div class="scroll" role="region" tabindex="0" aria-label="${caption}">
<table class="sortable"><caption>${caption}</caption>
<thead><tr>${heads}</tr></thead>
<tbody>
${rows}</tbody></table></div>`
}

function cellMarkup<Item>({ isNumber, isRowHead, key, cell }: Column<Item>, item: Item): Markup {
  const sortedBy = key(item)
  const data = sortedBy === undefined ? undefined : markup` data-key="${sortedBy}"`
  const align = isNumber ? 'number' : 'words'
  return isRowHead === true
    ? markup`<th scope="row" class="who"${data}>${cell(item)}</th>`
    : markup`<td class="${align}"${data}>${cell(item)}</td>`
}
