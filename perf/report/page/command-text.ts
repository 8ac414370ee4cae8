/** The command line that measures a part again. */
import type { Part } from './part.js'

export function commandText({ scenario, settings }: Pick<Part, 'scenario' | 'settings'>): string {
  const options = Object.entries(settings).map(([name, value]) => `--${name} ${quoted(value)}`)
  return ['npm run perf --', quoted(scenario), ...options].join(' ')
}

/** Options as text. What was read from them are lists, and a wake policy that may be an object. */
export function settingTexts(settings: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  // Where the figures were written says nothing about them.
  const told = Object.entries(settings).filter(([name]) => name !== 'json')
  return Object.fromEntries(told.map(([name, value]) => [name, valueText(value)]))
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(',')
  if (typeof value === 'object' && value !== null && 'spinMicros' in value) return String(value.spinMicros)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Settings may come from a file: a shell must take each as one word. */
function quoted(text: string): string {
  return /^[\w.,:/=+@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
