/** Charts as files of their own, for light and for dark pages: the same figures give the same bytes. */
import { describe } from './describe.js'
import { Markup, markup } from '../markup.js'
import { contendersIn, type Contender } from './chart.js'
import { outlines } from './marks.js'
import type { Motif } from './motif.js'
import { heightOf, optionsOf } from './options.js'
import { init } from './parts.js'
import { dark, light, SANS, styleOf, type Theme } from './theme.js'

export interface Picture {
  /** Of the chart and its conditions: `latency-round-trip-rounds-64-b`. */
  readonly name: string
  /** With its shade: `latency-round-trip-rounds-64-b-dark.svg`. */
  readonly file: string
  readonly svg: string
}

const WIDTH = 720
const MARGIN = 16
const LINE = 20
/** About as wide as a letter of the legend is. */
const LETTER = 6.5
const SHADES = [
  ['light', light],
  ['dark', dark],
] as const

export function picturesOf(motif: Motif): readonly Picture[] {
  const { name } = motif
  return SHADES.map(([shade, theme]) => ({ name, file: `${name}-${shade}.svg`, svg: draw(motif, theme) }))
}

function draw({ chart, facet, label }: Motif, theme: Theme): string {
  const height = heightOf(chart)
  const title = label === '' ? chart.title : `${chart.title}, ${label}`
  const head = legend(contendersIn(chart), theme)
  const top = MARGIN + LINE + head.height + 12
  const all = top + height + MARGIN / 2
  return markup`<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${all}" viewBox="0 0 ${WIDTH} ${all}" role="img" aria-label="${describe(chart, facet)}">
<rect width="${WIDTH}" height="${all}" rx="6" fill="${theme.paper}"/>
<g font-family="${SANS}" font-size="13">
<text x="${MARGIN}" y="${MARGIN + 14}" font-size="15" font-weight="600" fill="${theme.ink}">${title}</text>
<g transform="translate(${MARGIN} ${MARGIN + LINE + 6})">${head.items}</g>
<svg x="${MARGIN}" y="${top}" width="${WIDTH - 2 * MARGIN}" height="${height}" font-size="12">
${plot({ chart, facet }, theme, WIDTH - 2 * MARGIN, height)}
</svg>
</g>
</svg>
`.text
}

function plot({ chart, facet }: Pick<Motif, 'chart' | 'facet'>, theme: Theme, width: number, height: number): Markup {
  const options = optionsOf(chart, facet, theme)
  if (options === undefined) return new Markup('')
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    drawing.setOption({ ...options, tooltip: { show: false } })
    return tidied(drawing.renderToSVGString())
  } finally {
    drawing.dispose()
  }
}

/** Without what is for a pointer. Names that count the drawings of this process become the picture's own. */
function tidied(svg: string): Markup {
  return new Markup(
    svg
      .replace(/^<svg[^>]*>|<\/svg>\s*$/g, '')
      .replace(/<style[\s\S]*?<\/style>/g, '')
      .replace(/ (?:class|ecmeta_\w+|pointer-events)="[^"]*"/g, '')
      .replace(/font-size:12px;|font-family:[^;"]*;/g, '')
      .replace(/ style=""/g, '')
      .replace(/zr\d+-/g, 'zr-')
      .replace(/(\d+\.\d\d)\d+/g, '$1')
      .replace(/\n\s*\n/g, '\n')
      .trim(),
  )
}

/** Who is who, in as many lines as it takes. */
function legend(contenders: readonly Contender[], theme: Theme): { items: readonly Markup[]; height: number } {
  let x = 0
  let y = 0
  const items = contenders.map((contender) => {
    const text = contender.isBaseline ? `${contender.name} (baseline)` : contender.name
    const width = 20 + text.length * LETTER + 16
    if (x > 0 && x + width > WIDTH - 2 * MARGIN) {
      x = 0
      y += LINE
    }
    const { mark, colour } = styleOf(contender, theme)
    const [fill, stroke] = contender.isBaseline ? [theme.paper, colour] : [colour, 'none']
    const at = Math.round(x)
    x += width
    return markup`<g transform="translate(${at} ${y})"><path d="${outlines[mark]}" fill="${fill}" stroke="${stroke}" stroke-width="2"/><text x="17" y="10.5" fill="${theme.soft}">${text}</text></g>\n`
  })
  return { items, height: y + LINE }
}
