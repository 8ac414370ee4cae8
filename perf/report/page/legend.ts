/** Who is who: colour and mark of each contender. The page's styles have the colours, so they follow its theme. */
import type { Contender } from '../charts/chart.js'
import { outlines } from '../charts/marks.js'
import { light, styleOf } from '../charts/theme.js'
import { markup, type Markup } from '../markup.js'

export function legendMark(contender: Contender): Markup {
  const { mark } = styleOf(contender, light)
  return markup`<svg class="mark ${toneClass(contender)}" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><path d="${outlines[mark]}"/></svg>`
}

export function legend(contenders: readonly Contender[]): Markup {
  const items = contenders.map(
    (contender) =>
      markup`<li>${legendMark(contender)} ${contender.name}${contender.isBaseline ? ' (baseline)' : ''}</li>`,
  )
  return markup`<ul class="legend">${items}</ul>`
}

function toneClass({ isBaseline, place }: Contender): string {
  const { baselines, others } = light
  return isBaseline
    ? `tone-baseline-${String(place % baselines.length)}`
    : `tone-other-${String(place % others.length)}`
}
