/** Colours and marks of page and charts, of light and of dark paper. Text and lines have the contrast of WCAG AA. */
import type { Contender } from './chart.js'

export interface Theme {
  readonly paper: string
  readonly raised: string
  readonly ink: string
  readonly soft: string
  readonly rule: string
  readonly accent: string
  readonly better: string
  readonly worse: string
  readonly baselines: readonly string[]
  readonly others: readonly string[]
}

export const light: Theme = {
  paper: '#fcfbf8',
  raised: '#f4f2ec',
  ink: '#1c1e21',
  soft: '#5a5f66',
  rule: '#dbd8cf',
  accent: '#0b57a4',
  better: '#14643d',
  worse: '#a02c1d',
  baselines: ['#666b72', '#8a6d3b', '#7d7a8c'],
  others: ['#0b57a4', '#b5450b', '#1b7a4b', '#7b3fa3', '#0d7380', '#ad2867', '#6a6a00', '#3c4fd0'],
}

export const dark: Theme = {
  paper: '#14161a',
  raised: '#1d2025',
  ink: '#e7e5e0',
  soft: '#a7abb2',
  rule: '#363a41',
  accent: '#7ab7ff',
  better: '#74d39d',
  worse: '#ff9f8a',
  baselines: ['#a2a7af', '#c9a66b', '#b3aec9'],
  others: ['#7ab7ff', '#ff9d5c', '#68d39a', '#cb9dff', '#55cfdc', '#ff8fbe', '#cfcf5a', '#9aa6ff'],
}

export const SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

/** Those of baselines are hollow. */
const MARKS = ['circle', 'rect', 'triangle', 'diamond'] as const
const DASHES = ['solid', [7, 3], [2, 3], [9, 3, 2, 3]] as const

export interface Style {
  readonly colour: string
  readonly mark: (typeof MARKS)[number]
  readonly dash: (typeof DASHES)[number]
}

/** Colours repeat after eight, and then with another dash. */
export function styleOf({ isBaseline, place }: Contender, theme: Theme): Style {
  const colours = isBaseline ? theme.baselines : theme.others
  const mark = MARKS[place % MARKS.length] ?? 'circle'
  const turn = Math.floor(place / colours.length) + (isBaseline ? 1 : 0)
  return { colour: colours[place % colours.length] ?? theme.ink, mark, dash: DASHES[turn % DASHES.length] ?? 'solid' }
}
