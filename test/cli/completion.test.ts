/** What shells complete, as the shells themselves see it. */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import test from 'ava'
import { commands } from '../../api/cli/commands/registry.js'
import { mainPath } from '../helpers/cli-program.js'
import { run } from '../helpers/test-terminal.js'

const WATCHDOG_MS = 30_000

/** Whether the shell is there, and works. */
const has = (shell: string): boolean => process.platform !== 'win32' && spawnSync(shell, ['-c', 'true']).status === 0

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`the script for ${shell} has every command and option`, async (t) => {
    const [code, script, complaint] = await run(['completion', shell])
    t.deepEqual([code, complaint], [0, ''])
    for (const { name, options, operands = [] } of commands) {
      t.true(script.includes(name), name)
      for (const option of Object.keys(options).filter((each) => !operands.includes(each)))
        t.true(script.includes(shell === 'fish' ? `-l ${option} ` : `--${option}`), `${name} --${option}`)
    }
  })
}

const withBash = has('bash') ? test : test.skip

withBash('bash completes commands, options and values', (t) => {
  const lines: readonly (readonly [words: readonly string[], offered: string])[] = [
    [['se'], 'serve send'],
    [['help', 'do'], 'doctor'],
    [['serve', '--fr'], '--framing'],
    [['serve', '--framing', 'li'], 'line'],
    [['serve', '--framing', '=', 'len'], 'length length-be'],
    [['completion', 'z'], 'zsh'],
    [['listen', 'local:a', '--h'], '--hex --help'],
    [['serve', 'local:a', '--', '--f'], ''],
    [['serve', '--shards', ''], ''],
  ]
  const quote = (word: string): string => `'${word}'`
  const script = [
    `symphony-transport() { ${quote(process.execPath)} ${quote(mainPath)} "$@"; }`,
    'source <(symphony-transport completion bash)',
    'offered() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _symphony_transport; echo "${COMPREPLY[*]}"; }',
    ...lines.map(([words]) => `offered symphony-transport ${words.map(quote).join(' ')}`),
  ].join('\n')
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8', timeout: WATCHDOG_MS })
  t.is(stderr, '')
  t.deepEqual(
    stdout.trimEnd().split('\n').concat('', '').slice(0, lines.length),
    lines.map(([, offered]) => offered),
  )
})

const withFish = has('fish') ? test : test.skip

withFish('fish completes commands, options and values', async (t) => {
  const [, script] = await run(['completion', 'fish'])
  const ask = ['se', 'serve --fr', 'serve --framing li'].map((line) => `complete -C 'symphony-transport ${line}'`)
  const { stdout } = spawnSync('fish', ['--no-config', '-c', [script, ...ask].join('\n')], { encoding: 'utf8' })
  const offered = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[0])
  t.deepEqual(offered, ['send', 'serve', '--framing', 'line'])
})

const withZsh = has('zsh') ? test : test.skip

withZsh('zsh takes the script, and knows whose it is', async (t) => {
  const [, script] = await run(['completion', 'zsh'])
  const line = `autoload -Uz compinit; compinit -D -u\n${script}\nprint $_comps[symphony-transport]`
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', line], { encoding: 'utf8' })
  t.deepEqual([stdout.trim(), stderr], ['_symphony_transport', ''])
})
