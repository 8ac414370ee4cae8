/** What `npm run perf` takes on its command line, and that it starts nothing when that is wrong. */
import { spawnSync } from 'node:child_process'
import os from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { scenarios } from '../../perf/commands/registry.js'
import { help } from '../../perf/options/help.js'
import { parse as parseWords } from '../../perf/options/parse.js'

const WATCHDOG_MS = 20_000

const parse = (line: string) =>
  parseWords(
    line.split(' ').filter((word) => word !== ''),
    scenarios,
  )

/** The scenario's name and its values. */
function values(line: string): unknown {
  const parsed = parse(line)
  return parsed.kind === 'run' ? { [parsed.scenario.name]: parsed.given } : parsed.kind
}

const wrong: readonly (readonly [line: string, message: RegExp])[] = [
  ['', /name a scenario: latency, /],
  ['quux', /there is no scenario quux; there are latency, /],
  ['latncy', /there is no scenario latncy; did you mean latency\?/],
  ['latency pool', /pool is one word too many/],
  ['latency --fast', /latency takes no --fast/],
  ['latency --fast 5', /latency takes no --fast/],
  ['latency -x', /latency takes no -x/],
  ['latency --count abc', /--count abc: expected one whole number from 1 to 10000000/],
  ['latency --count', /--count needs a value/],
  ['latency --count=', /--count '': expected one whole number/],
  ['latency --count --rounds 3', /--count needs a value/],
  ['latency --count NaN', /one whole number/],
  ['latency --count Infinity', /one whole number/],
  ['latency --count 1e3', /one whole number/],
  ['latency --count 1.5', /one whole number/],
  ['latency --count -1', /one whole number/],
  ['latency --count 10000001', /one whole number/],
  ['latency --count 5 --count 6', /--count is given twice/],
  ['latency --rounds 0', /--rounds 0: expected one whole number from 1 to/],
  ['latency --shards 1,2,4', /--shards 1,2,4: expected one whole number from 1 to 64/],
  ['latency --shards 65', /from 1 to 64/],
  ['latency --sizes=', /--sizes '': expected a list/],
  ['latency --sizes 64,', /a list like a,b of which each is one whole number/],
  ['latency --sizes 0', /a list/],
  ['open-loop --rates 10,fast', /a list like a,b of which each is one number from 0.01/],
  ['latency --transport tcp', /--transport tcp: expected one of /],
  ['latency --transport unix,stdio', /expected one of /],
  ['latency --transport unix,shm', /expected one of /],
  ['throughput --transport stdio', /--transport stdio: expected one of /],
  ['memory --transport unix,stdio', /--transport unix,stdio: expected a list like a,b of which each is one of /],
  ['flood --transport unix', /flood takes no --transport/],
  ['latency --wake maybe', /adaptive, park, or microseconds/],
  ['latency --inline maybe', /--inline maybe: expected one of auto, never/],
  ['latency --pin all', /--pin all: expected one whole number/],
  ['latency --json /no/such/folder/file', /a file in a folder that is there/],
  ['latency --clients 3', /latency takes no --clients; it takes --sizes, /],
  ['throughput --rates 1', /throughput takes no --rates/],
  ['throughput --framing line,comma', /each is one of length, /],
  ['http --clients 10 --count 5', /--clients 10: each needs a request/],
  ['http --clients 1,10', /--clients 1,10: expected one whole number from 1 to 10000/],
  [
    'fan-in --connections 10,0',
    /--connections 10,0: expected a list like a,b of which each is one whole number from 1 to/,
  ],
  ['fan-in --connections 1,10 --count 5', /--connections 10: each needs a request of the 5 of --count/],
  ['fan-in --count 9999', /--connections 10000: each needs a request of the 9999 of --count/],
  ['handlers --work 0,x', /--work 0,x: expected a list like a,b of which each is one whole number from 0 to 100000/],
  ['handlers --shards 1,0', /--shards 1,0: expected a list like a,b of which each is one whole number from 1 to 64/],
  ['handlers --connections 20 --count 19', /--connections 20: each needs a request of the 19 of --count/],
  ['handlers --clients 2', /handlers takes no --clients/],
  ['fan-in --shards 1,0', /--shards 1,0: expected a list like a,b of which each is one whole number/],
  ['fan-in --clients 2', /fan-in takes no --clients/],
  ['shards --sizes 64,4', /--sizes 4: a handler's frame has 8 bytes or more/],
  ['shards --load frames,none', /--load frames,none: expected a list like a,b of which each is one of frames, line/],
  ['busy-main --block 0', /--block 0: expected a list/],
  ['busy-main --duty 1', /--duty 1: expected one number from 0.01 to 0.95/],
  ['latency --rates 1', /latency takes no --rates/],
  ['latency --count 5 --duration 1', /--count and --duration both say/],
  [
    'compare --peers engine,redis',
    /--peers engine,redis: expected a list like a,b of which each is one of engine, net, /,
  ],
  ['compare --work latency', /each is one of round-trip, stream, fan-in, idle/],
  ['compare --connections 100,10', /--connections 100,10: they have to rise/],
  ['compare --count 5 --duration 1', /--count and --duration both say/],
  ['throughput --duration 0', /--duration 0: expected one number from 0.01/],
  ['trace --transport unix,stdio', /--transport unix,stdio: expected a list like a,b of which each is one of /],
  ['trace --connections 2', /trace takes no --connections; it takes --sizes, --transport, /],
  ['memory --rounds 3', /memory takes no --rounds/],
  ['memory --watch 0', /--watch 0: expected one number from 0.1/],
  ['chaos --transport unix,tcp', /each is one of /],
  ['chaos --faults 0', /--faults 0/],
  ['chaos --seed x', /--seed x/],
  ['pool --shards 2', /pool takes no --shards/],
]

for (const [line, message] of wrong) {
  test(`refused: npm run perf -- ${line}`, (t) => {
    const parsed = parse(line)
    if (parsed.kind !== 'wrong') return t.fail(`${parsed.kind} instead of wrong`)
    t.regex(parsed.message, message)
    t.false(parsed.message.includes('\n'))
    t.regex(parsed.message, /[.?] See npm run perf -- (?:[a-z-]+ )?--help\.$/)
  })
}

test('options arrive as values of their type', (t) => {
  t.deepEqual(values('latency --sizes 64,1024 --rounds 2 --wake 25 --inline never --pin 0 --transport stdio'), {
    latency: {
      sizes: [64, 1024],
      rounds: 2,
      wake: { spinMicros: 25 },
      inline: 'never',
      pin: 0,
      transport: 'stdio',
    },
  })
  t.deepEqual(
    values('trace --sizes 64 --transport unix,shm --count 5 --rounds 2 --wake park --inline never --shards 1'),
    {
      trace: {
        sizes: [64],
        transport: ['unix', 'shm'],
        count: 5,
        rounds: 2,
        wake: 'park',
        inline: 'never',
        shards: 1,
      },
    },
  )
  t.deepEqual(values('open-loop --rates 0.5,10 --duration 2'), { 'open-loop': { rates: [0.5, 10], duration: 2 } })
  t.deepEqual(values('chaos --transport unix,memory --seed 0 --watch 2.5'), {
    chaos: { transport: ['unix', 'memory'], seed: 0, watch: 2.5 },
  })
  t.deepEqual(values('fan-in --connections 1,10 --sizes 64,256 --count 10 --wake park --shards 1,2'), {
    'fan-in': { connections: [1, 10], sizes: [64, 256], count: 10, wake: 'park', shards: [1, 2] },
  })
  t.deepEqual(values('handlers --shards 1,2 --work 0,50 --connections 4'), {
    handlers: { shards: [1, 2], work: [0, 50], connections: 4 },
  })
  t.deepEqual(values('throughput --framing line,nul --duration 0.5'), {
    throughput: { framing: ['line', 'nul'], duration: 0.5 },
  })
})

const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('shared memory is a transport between two processes', (t) => {
  for (const scenario of ['latency', 'throughput']) {
    t.deepEqual(values(`${scenario} --transport shm`), { [scenario]: { transport: 'shm' } })
  }
  t.deepEqual(values('memory --transport unix,shm'), { memory: { transport: ['unix', 'shm'] } })
})

onPosix('shared memory takes no framing but its own', (t) => {
  t.is(parse('throughput --transport shm --framing length').kind, 'run')
  t.is(parse('throughput --transport unix --framing line').kind, 'run')
  const parsed = parse('throughput --framing length,line --transport shm')
  if (parsed.kind !== 'wrong') return t.fail(`${parsed.kind} instead of wrong`)
  t.regex(parsed.message, /--framing line: shm carries the framing length alone\./)
})

test('--help shows the help, wherever it stands', (t) => {
  for (const line of ['--help', '-h', 'help latency', 'latency --help', 'latency -h', 'latency --count abc --help'])
    t.is(parse(line).kind, 'help')
})

test('the help names every scenario, and that of a scenario each of its options, in lines for a terminal', (t) => {
  const short = help(scenarios, undefined)
  for (const scenario of scenarios) {
    t.true(short.includes(`  ${scenario.name} `), scenario.name)
    const long = help(scenarios, scenario)
    for (const name of Object.keys(scenario.options)) {
      const shown = scenario.operands?.includes(name) === true ? name.toUpperCase() : `--${name}`
      t.true(long.includes(`  ${shown} `), `${scenario.name} ${name}`)
    }
    for (const line of `${short}\n${long}`.split('\n')) t.true(line.length <= 80 || /npm run|^ {2}--/.test(line), line)
  }
})

test('every example in the help is right', (t) => {
  for (const { examples } of scenarios) {
    t.true(examples.length > 0)
    for (const example of examples) t.is(parse(example).kind, 'run', example)
  }
})

for (const [line, code] of [
  ['latency --count abc', 2],
  ['throughput --rounds 0', 2],
  ['--help', 0],
] as const) {
  test(`npm run perf -- ${line} ends at once with ${String(code)}`, (t) => {
    t.timeout(WATCHDOG_MS)
    const program = fileURLToPath(new URL('../../perf/run.js', import.meta.url))
    // Without a folder it can start nothing.
    const env = {
      ...process.env,
      TMPDIR: '/no/such/folder',
      TEMP: '/no/such/folder',
      NODE_OPTIONS: undefined,
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...line.split(' ')], {
      env,
      encoding: 'utf8',
    })
    t.is(status, code)
    t.is(stdout.trim(), code === 0 ? help(scenarios, undefined) : '')
    t.is(stderr.split(os.EOL).length, code === 0 ? 1 : 2, stderr)
  })
}
