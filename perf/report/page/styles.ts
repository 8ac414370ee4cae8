/** The page's styles: the sheet, and the theme's colours as variables, so that charts and text have the same. */
import { readFileSync } from 'node:fs'
import { transform } from 'esbuild'
import { dark, light, type Theme } from '../charts/theme.js'
import { clientFile } from './client-files.js'

export async function styles(): Promise<string> {
  const marks = [
    ...light.baselines.map((_, place) => tone(`baseline-${String(place)}`)),
    ...light.others.map((_, place) => tone(`other-${String(place)}`)),
  ]
  const sheet = `
:root { color-scheme: light dark; ${variables(light)} }
@media screen and (prefers-color-scheme: dark) { :root { ${variables(dark)} } }
${marks.join('\n')}
${readFileSync(clientFile('page.css'), 'utf8')}`
  const { code } = await transform(sheet, { loader: 'css', minify: true })
  return code
}

function tone(name: string): string {
  const isBaseline = name.startsWith('baseline')
  const colour = `var(--${name})`
  return isBaseline
    ? `.tone-${name} { fill: var(--paper); stroke: ${colour}; stroke-width: 2 }`
    : `.tone-${name} { fill: ${colour} }`
}

function variables({ baselines, others, ...theme }: Theme): string {
  const named = Object.entries(theme as Readonly<Record<string, string>>)
  const numbered = [
    ...baselines.map((colour, place) => [`baseline-${String(place)}`, colour] as const),
    ...others.map((colour, place) => [`other-${String(place)}`, colour] as const),
  ]
  return [...named, ...numbered].map(([name, colour]) => `--${name}: ${colour};`).join(' ')
}
