/** Draws each chart when it comes near, and again when its width, its conditions or the theme change. */
import type { Chart } from '../charts/chart.js'
import { optionsOf } from '../charts/options.js'
import { init } from '../charts/parts.js'
import { dark, light } from '../charts/theme.js'
import { describe } from '../charts/describe.js'

/** Of paper, in CSS pixels, less margins. */
const PRINTED_WIDTH = 640
const NEAR = '600px'

interface Place {
  readonly chart: Chart
  readonly plot: HTMLElement
  readonly drawing: { current: ReturnType<typeof init> | undefined }
  facet: number
}

const isDark = matchMedia('(prefers-color-scheme: dark)')
const isPrinting = matchMedia('print')

export function drawCharts(): void {
  const places = findPlaces()
  const byPlot = new Map<Element, Place>(places.map((place) => [place.plot, place]))
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const place = byPlot.get(target)
        if (!isIntersecting || place === undefined) continue
        near.unobserve(target)
        draw(place)
        widths.observe(target)
      }
    },
    { rootMargin: NEAR },
  )
  const widths = new ResizeObserver((entries) => {
    if (isPrinting.matches) return
    for (const { target } of entries) byPlot.get(target)?.drawing.current?.resize()
  })
  for (const { plot } of places) near.observe(plot)

  const redraw = (): void => {
    for (const place of places) if (place.drawing.current !== undefined) draw(place)
  }
  isDark.addEventListener('change', redraw)
  // Paper is light, and has all charts, also those that nobody has come near.
  addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('details')) details.open = true
    for (const place of places) draw(place, { forPaper: true })
  })
  addEventListener('afterprint', () => {
    for (const place of places) draw(place)
  })
}

function findPlaces(): readonly Place[] {
  const data = document.getElementById('charts')?.textContent ?? '[]'
  return (JSON.parse(data) as readonly Chart[]).flatMap((chart) => {
    const figure = document.getElementById(chart.id)
    const plot = figure?.querySelector<HTMLElement>('.plot') ?? undefined
    if (plot === undefined) return []
    const place: Place = { chart, plot, drawing: { current: undefined }, facet: 0 }
    const chooser = figure?.querySelector('select') ?? undefined
    chooser?.addEventListener('change', () => {
      place.facet = Number(chooser.value)
      plot.ariaLabel = describe(chart, place.facet)
      draw(place)
    })
    return [place]
  })
}

function draw({ chart, plot, facet, drawing }: Place, { forPaper = false } = {}): void {
  const options = optionsOf(chart, facet, isDark.matches && !forPaper ? dark : light)
  if (options === undefined) return
  drawing.current ??= init(plot, null, { renderer: 'svg' })
  drawing.current.resize(forPaper ? { width: Math.min(PRINTED_WIDTH, printedWidth(plot)) } : { width: 'auto' })
  drawing.current.setOption(options, { notMerge: true })
}

/** Two charts beside each other share the width of the paper. */
function printedWidth(plot: HTMLElement): number {
  return plot.closest('.charts') === null ? PRINTED_WIDTH : PRINTED_WIDTH / 2 - 12
}
