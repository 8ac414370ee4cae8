/** What command lines mean, and what is said of those that mean nothing. */
import test from 'ava'
import { commands } from '../../api/cli/commands/registry.js'
import { help } from '../../api/cli/help.js'
import { parse } from '../../api/cli/options/parse.js'
import { scenarios } from '../../perf/commands/registry.js'
import { parse as parseScenario } from '../../perf/options/parse.js'
import { run, VERSION } from '../helpers/test-terminal.js'

/** Words in quotes are one. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}

const read = (line: string) => parse(wordsOf(line), commands)

/** Also of words that a command hands on to what measures; without a scenario those are the self-check's. */
function kindOf(line: string): string {
  const parsed = read(line)
  if (parsed.kind !== 'run' || parsed.command.handsOn !== true) return parsed.kind
  const words = parsed.command.name === 'tune' ? ['tune', ...parsed.rest] : parsed.rest
  return words.length === 0 || words[0] === '--quick' ? 'run' : parseScenario(words, scenarios).kind
}

function values(line: string): unknown {
  const parsed = read(line)
  if (parsed.kind !== 'run') return parsed
  const { command, given, rest } = parsed
  return rest.length === 0 ? { [command.name]: given } : { [command.name]: given, rest }
}

const wrong: readonly (readonly [line: string, message: RegExp])[] = [
  ['srve', /^there is no command srve; did you mean serve\?$/],
  ['quux', /^there is no command quux; there are doctor, /],
  ['help srve', /did you mean serve\?$/],
  ['--verbose', /^there is no command --verbose/],
  ['serve', /^serve needs ENDPOINT$/],
  ['serve local:a local:b', /^local:b is one word too many/],
  ['serve nothing', /^"nothing" is not an endpoint: write unix:PATH, /],
  ['serve /tmp/a.sock', /did you mean unix:\/tmp\/a.sock\?$/],
  ['serve memory:a', /^memory:a: expected an endpoint that two processes can meet at/],
  ['ping stdio:', /^stdio:: expected an endpoint that can be dialled/],
  ['serve local:a --fram line', /^serve takes no --fram; did you mean --framing\?$/],
  ['serve local:a --zzz', /^serve takes no --zzz; it takes --framing, --shards$/],
  ['serve local:a -x', /^serve takes no -x/],
  ['serve local:a --framing', /^--framing needs a value$/],
  ['serve local:a --framing --shards 1', /^--framing needs a value$/],
  ['serve local:a --framing lines', /^--framing lines: expected one of length, /],
  ['serve local:a --shards 1 --shards 2', /^--shards is given twice$/],
  ['serve local:a --shards=', /^--shards '': expected one whole number/],
  ['listen local:a --once=yes', /^--once takes no value$/],
  ['serve local:a --', /^behind -- there has to be PROGRAM ARGS$/],
  ['ping local:a -- cat', /^ping takes nothing behind --$/],
  ['listen local:a --hex --json', /^--hex and --json both say how to print$/],
  ['send local:a --raw --hex', /^--raw and --hex both say how to print$/],
  ['send local:a --raw --frame a', /^--frame and --raw both say what to send$/],
  ['top shm:a', /^top reads lines, which shm: does not carry: give local:NAME, say$/],
  ['bridge --subject a', /^bridge needs one of --listen, --dial, --publish and --subscribe$/],
  ['bridge --subject a --listen local:a --dial local:b', /^--listen and --dial: a bridge does one of these$/],
  ['completion csh', /^csh: expected one of bash, zsh, fish$/],
]

for (const [line, message] of wrong) {
  test(`refused: symphony-transport ${line}`, (t) => {
    const parsed = read(line)
    if (parsed.kind !== 'wrong') return t.fail(`${parsed.kind} instead of wrong`)
    t.regex(parsed.message, message)
  })
}

test('what may be a secret in an endpoint is not shown', (t) => {
  const parsed = read('send nats://me:hunter2@host')
  if (parsed.kind !== 'wrong') return t.fail()
  t.false(parsed.message.includes('hunter2'))
})

test('options arrive as values of their type, wherever they stand', (t) => {
  t.deepEqual(values('ping --size 8 local:a --interval 0.5 --json'), {
    ping: { size: 8, endpoint: 'local:a', interval: 0.5, json: true },
  })
  t.deepEqual(values("send --frame 'two words' local:a"), { send: { endpoint: 'local:a', frame: 'two words' } })
  t.deepEqual(values('send local:a --frame=--x'), { send: { endpoint: 'local:a', frame: '--x' } })
})

test('what stands behind -- belongs to the program, options too', (t) => {
  t.deepEqual(values('serve local:a --shards 1 -- cat --help -- -x'), {
    serve: { endpoint: 'local:a', shards: 1 },
    rest: ['cat', '--help', '--', '-x'],
  })
})

test('help is asked for in many ways', (t) => {
  for (const line of ['--help', '-h', 'help']) t.like(read(line), { kind: 'help', command: undefined, isAsked: true })
  for (const line of ['help serve', '--help serve', 'serve --help', 'serve -h', 'serve local:a --zzz --help'])
    t.like(read(line), { kind: 'help', command: { name: 'serve' }, isAsked: true })
  t.like(parse([], commands), { kind: 'help', isAsked: false })
})

test('help has every command and option, fits a terminal, and its examples are right', (t) => {
  const overview = help(commands, undefined)
  for (const command of commands) {
    const { name, options, operands = [], examples } = command
    t.true(overview.includes(`\n  ${name} `), name)
    const full = help(commands, command)
    for (const each of Object.keys(options))
      t.true(full.includes(operands.includes(each) ? each.toUpperCase() : `  --${each}`), `${name} ${each}`)
    for (const line of `${overview}\n${full}`.split('\n')) t.true(line.length <= 80, line)
    t.true(examples.length > 0)
    // What a shell would do is no part of it.
    for (const example of examples) t.regex(kindOf(example.replace(/ [<|].*/, '')), /^(run|help)$/, example)
  }
})

test('help that nobody has asked for is no success, and a mistake is one line', async (t) => {
  const [code, said, complaint] = await run([])
  t.deepEqual([code, said], [2, ''])
  t.is(complaint, `${help(commands, undefined)}\n`)
  t.deepEqual(await run(['--help']), [0, `${help(commands, undefined)}\n`, ''])
  t.deepEqual(await run(['--version']), [0, `${VERSION}\n`, ''])
  t.deepEqual(await run(['srve']), [
    2,
    '',
    'symphony-transport: there is no command srve; did you mean serve? See symphony-transport --help.\n',
  ])
})
