/** The tables of options in docs/bridge.md are what is checked. */
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { bridgeChecks, bridgeDefaults, commonChecks } from '../../api/bridge-nats/bridge-options.js'
import {
  publishChecks,
  publishDefaults,
  subscribeChecks,
  subscribeDefaults,
} from '../../api/bridge-nats/message-options.js'
import { root } from '../package/project.js'

const lines = fs.readFileSync(join(root, 'docs', 'bridge.md'), 'utf8').split('\n')

function rowsBelow(head: RegExp): readonly (readonly string[])[] {
  const at = lines.findIndex((line) => head.test(line))
  const end = lines.findIndex((line, i) => i > at && !line.startsWith('|'))
  return lines.slice(at + 2, end).map((line) => line.split('|').map((cell) => cell.trim()))
}

/** `1,024`, `1 MiB`, `2^30`, `false` */
function valueOf(text: string): unknown {
  const [, number = '', power, unit] = /^([\d,]+)(?:\^(\d+))?( MiB)?$/.exec(text) ?? []
  if (number === '') return JSON.parse(text.replaceAll('`', ''))
  const value = Number(number.replaceAll(',', '')) ** Number(power ?? 1)
  return unit === undefined ? value : value * 2 ** 20
}

const tables = [
  { head: /^\| option +\|/, checks: bridgeChecks, defaults: bridgeDefaults, isCommon: true },
  { head: /^\| option of `publishToNats/, checks: publishChecks, defaults: publishDefaults, isCommon: false },
  { head: /^\| option of `subscribeToNats/, checks: subscribeChecks, defaults: subscribeDefaults, isCommon: false },
]

for (const { head, checks, defaults, isCommon } of tables) {
  test(`docs/bridge.md has each option, its default and its range: ${String(head)}`, (t) => {
    const rows = rowsBelow(head)
    const all = Object.keys(checks).filter((name) => isCommon || !(name in commonChecks))
    t.deepEqual(rows.map(([, name]) => name).sort(), all.map((name) => `\`${name}\``).sort())
    for (const [, cell = '', written = '', range = ''] of rows) {
      const name = cell.replaceAll('`', '')
      if (name in defaults) t.is(valueOf(written), new Map<string, unknown>(Object.entries(defaults)).get(name), name)
      else t.regex(written, /^(?:none|required)$/, name)
      const check = new Map<string, (value: unknown) => string | undefined>(Object.entries(checks)).get(name)
      const [, least, most] = /from (\d+) to (\d+)/.exec(check?.(null) ?? '') ?? []
      const [, from, to] = /([\d,^]+) to ([\d,^]+)/.exec(range) ?? []
      if (from !== undefined && to !== undefined) {
        t.deepEqual([valueOf(from), valueOf(to)], [Number(least), Number(most)], name)
      } else if (least !== undefined) t.is(range, 'ms', name)
    }
  })
}
