/** `symphony-transport doctor`: what of the package works here. */
import process from 'node:process'
import { defineCommand, exitCodes } from '../command.js'
import type { Trial } from '../doctor/facts.js'
import { findings, type Finding } from '../doctor/findings.js'
import { gather } from '../doctor/gather.js'
import { wrap } from '../options/columns.js'
import { json } from '../options/shared.js'
import { styleOf, type Style } from '../output/style.js'

const WIDTH = 80
const STATE_WIDTH = 'missing'.length

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'tries what of the package works here, and says what to do where not',
  options: { json },
  notes: ['Ends with 1 when something that is needed is missing. Warnings are about what', 'it works without.'],
  examples: ['doctor', 'doctor --json'],
  async run({ json }, { terminal }) {
    const facts = await gather()
    const found = findings(facts)
    const isMissing = found.some(({ state }) => state === 'missing')
    const text = json === true ? inJson(found, !isMissing) : inWords(found, styleOf(terminal))
    await new Promise<void>((resolve) => {
      terminal.output.write(`${text}\n`, () => resolve())
    })
    const code = isMissing ? exitCodes.failed : exitCodes.ok
    const isPending = Object.values(facts.trials).some(
      (trial: Trial | undefined) => trial?.works === false && trial.isPending,
    )
    // Otherwise what hangs would keep the process alive.
    return isPending ? process.exit(code) : code
  },
})

function inJson(found: readonly Finding[], isWell: boolean): string {
  return JSON.stringify({ ok: isWell, findings: found }, undefined, 2)
}

function inWords(found: readonly Finding[], style: Style): string {
  const paint = { ok: style.green, warning: style.yellow, missing: style.red }
  const whatWidth = Math.max(...found.map(({ what }) => what.length))
  const indent = ' '.repeat(STATE_WIDTH + whatWidth + 4)
  const lines = found.flatMap(({ what, state, found: text, advice }) => {
    const [first = '', ...more] = wrap(text, WIDTH - indent.length)
    const advised = advice === undefined ? [] : wrap(advice, WIDTH - indent.length).map((line) => style.bold(line))
    const start = `${paint[state](state.padEnd(STATE_WIDTH))}  ${what.padEnd(whatWidth)}  `
    return [start + first, ...[...more, ...advised].map((line) => indent + line)]
  })
  const count = (state: Finding['state']): number => found.filter((each) => each.state === state).length
  const missing = count('missing')
  const warnings = count('warning')
  const verdict = missing === 0 ? 'All that is needed works' : `Missing of what is needed: ${String(missing)}`
  return [...lines, '', `${verdict}. Warnings: ${String(warnings)}.`].join('\n')
}
