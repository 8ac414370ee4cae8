/** docs/cli.md has every command, and each of its options. */
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { commands } from '../../api/cli/commands/registry.js'
import { exitCodes } from '../../api/cli/command.js'
import { root } from '../package/project.js'

const page = fs.readFileSync(join(root, 'docs', 'cli.md'), 'utf8')

/** By the heading, which is the command's name. */
const parts = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((part) => [part.split('\n', 1)[0] ?? '', part]),
)

test('docs/cli.md has the commands of the help, in its order', (t) => {
  t.deepEqual(
    [...parts.keys()],
    commands.map(({ name }) => name),
  )
})

test('each part of docs/cli.md has the options of its command, and an example', (t) => {
  for (const { name, options, operands = [] } of commands) {
    const part = parts.get(name) ?? ''
    for (const option of Object.keys(options).filter((each) => !operands.includes(each)))
      t.true(part.includes(`\`--${option}`), `${name} --${option}`)
    t.true(part.includes(`symphony-transport ${name}`), name)
  }
})

test('docs/cli.md has the exit codes', (t) => {
  for (const code of Object.values(exitCodes)) t.regex(page, new RegExp(`^\\| ${String(code)} `, 'm'))
})
