/** The commands, in this process: what they exchange, what they print, how they end. */
import process from 'node:process'
import test from 'ava'
import { createEngine } from '../../api/index.js'
import { randomName } from '../helpers/temporary-folder.js'
import { run, start, TestTerminal, whileListening } from '../helpers/test-terminal.js'
import { until } from '../helpers/turns.js'

const WATCHDOG_MS = 60_000

const newEndpoint = (): string => `local:${randomName()}`
const onPosix = process.platform === 'win32' ? test.skip : test.serial

test.beforeEach((t) => t.timeout(WATCHDOG_MS))

test.serial('an echo answers lines of stdin, one frame each, in any framing', async (t) => {
  for (const framing of ['line', 'content-length']) {
    const endpoint = newEndpoint()
    await whileListening(['serve', endpoint, '--framing', framing, '--shards', '1'], async () => {
      const words = ['send', endpoint, '--framing', framing, '--reply', '3']
      t.deepEqual(await run(words, 'one\ntwo\nthree'), [0, 'one\ntwo\nthree\n', ''], framing)
    })
  }
})

test.serial('replies are printed as text, hexadecimal digits, JSON or raw bytes', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['serve', endpoint], async () => {
    const send = ['send', endpoint, '--reply', '1', '--frame', 'a\tb']
    t.deepEqual(await run(send), [0, 'a\tb\n', ''])
    t.deepEqual(await run([...send, '--hex']), [0, '610962\n', ''])
    t.deepEqual(await run([...send, '--json']), [0, '{"bytes":3,"text":"a\\tb"}\n', ''])
    t.deepEqual(await run(['send', endpoint, '--reply', '1', '--raw'], 'a\nb'), [0, 'a\nb', ''])
  })
})

onPosix('without --reply the peer sees the end of the stream, and its own end is awaited', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['serve', endpoint], async () => {
    t.deepEqual(await run(['send', endpoint], 'one\n'), [0, 'one\n', ''])
    t.deepEqual(await run(['send', endpoint], ''), [0, '', ''])
  })
})

test.serial('replies that do not come are a failure', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['serve', endpoint], async () => {
    const [code, said, complaint] = await run(['send', endpoint, '--frame', 'a', '--reply', '2', '--timeout', '100'])
    t.is(code, 1)
    t.true(['', 'a\n'].includes(said))
    t.regex(complaint, /^symphony-transport: ERR_TIMEOUT: [01] of 2 replies have come within 100 ms\n$/)
  })
})

test.serial('a peer that ends early ends send, with what is missing', async (t) => {
  const endpoint = newEndpoint()
  const engine = await createEngine({ shards: 1 })
  try {
    const listener = await engine.transport(endpoint).listen(async (connection) => {
      await connection.receive()
      void connection.close()
    })
    const words = ['send', endpoint, '--reply', '1']
    t.deepEqual(await run([...words, '--frame', 'a']), [1, '', 'the peer has ended after 0 of 1 replies\n'])
    // Its stdin stays open.
    const { terminal, code } = start(words)
    terminal.input.write('a\n')
    t.is(await code, 1)
    t.is(terminal.complaint, 'the peer has ended before the input did\n')
    t.true(terminal.input.destroyed)
    await listener.close()
  } finally {
    t.is((await engine.close()).leaked, 0)
  }
})

test.serial('listen numbers connections, keeps frames on their lines, and --once ends with the first', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['listen', endpoint], async ({ terminal }) => {
    for (const text of ['a\u001b[31m', 'b'])
      t.is((await run(['send', endpoint, '--frame', text, '--reply', '0']))[0], 0)
    await until(() => terminal.said.endsWith('2: b\n'))
    t.is(terminal.said, '1: a\\x1b[31m\n2: b\n')
  })
  const once = start(['listen', endpoint, '--once', '--json', '--framing', 'line'])
  await until(() => once.terminal.complaint.includes('listening'))
  await run(['send', endpoint, '--reply', '0', '--framing', 'line'], 'x\ny')
  t.is(await once.code, 0)
  t.is(once.terminal.said, '{"connection":1,"bytes":1,"text":"x"}\n{"connection":1,"bytes":1,"text":"y"}\n')
})

test.serial('a peer that speaks otherwise is one line on stderr, and listening goes on', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['listen', endpoint], async ({ terminal }) => {
    await run(['send', endpoint, '--framing', 'line', '--frame', 'this is text', '--reply', '0'])
    await until(() => terminal.complaint.includes('connection 1: '))
    t.regex(terminal.complaint, /^listening on .*\nconnection 1: ERR_FRAME_TOO_LARGE: the peer wrote text.*\n$/)
    await run(['send', endpoint, '--frame', 'b', '--reply', '0'])
    await until(() => terminal.said === '2: b\n')
  })
})

test.serial('ping checks each answer, and prints a table that fits a terminal', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['serve', endpoint], async () => {
    const [code, said, complaint] = await run(['ping', endpoint, '--count', '50', '--size', '3'])
    t.deepEqual([code, complaint], [0, ''])
    t.regex(
      said,
      /^ +min +mean +p50 +p90 +p99 +p999 +max\n-.*\nround trip( +[\d.]+ (us|ms|s)){7}\n50 sent, 50 answered, 3 bytes each\n$/,
    )
    for (const line of said.split('\n')) t.true(line.length <= 80, line)
    const [, json] = await run(['ping', endpoint, '--count', '2', '--json'])
    t.like(JSON.parse(json), { endpoint, size: 64, sent: 2, answered: 2, failure: null })
  })
  const raw = newEndpoint()
  await whileListening(['serve', raw, '--framing', 'raw'], async () => {
    const words = ['ping', raw, '--framing', 'raw', '--size', '300000', '--count', '3']
    t.like(await run(words), { 0: 0, 2: '' })
  })
})

test.serial('answers that are wrong or missing are a failure of ping', async (t) => {
  const endpoint = newEndpoint()
  const engine = await createEngine({ shards: 1 })
  try {
    let answers: readonly string[] = []
    const listener = await engine.transport(endpoint).listen((connection) => {
      connection.subscribe(() => (answers.length === 0 ? connection.close() : connection.sendBatch(answers)))
    })
    answers = ['hello']
    const [wrong, said] = await run(['ping', endpoint])
    t.is(wrong, 1)
    t.regex(
      said,
      /^1 sent, 0 answered, 64 bytes each\nanswer 1 is not what was sent: does it echo, with the same framing\?\n$/,
    )
    answers = []
    const [ended, json] = await run(['ping', endpoint, '--json'])
    t.is(ended, 1)
    t.like(JSON.parse(json), { sent: 1, answered: 0, micros: null })
    t.regex(json, /the peer has ended before answer 1/)
    await listener.close()
    const silent = await engine.transport(endpoint).listen(() => undefined)
    const [late, what] = await run(['ping', endpoint, '--timeout', '100'])
    t.is(late, 1)
    t.regex(what, /answer 1 has not come: .*100 ms/)
    await silent.close()
  } finally {
    t.is((await engine.close()).leaked, 0)
  }
})

test.serial('ping that is stopped shows what it has, on a terminal without its line of progress', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['serve', endpoint], async () => {
    const terminal = new TestTerminal({ isPerson: true })
    const pinging = start(['ping', endpoint, '--interval', '1', '--count', '1000000'], terminal)
    await until(() => terminal.complaint.includes(' of 1000000  p50 '))
    pinging.stop()
    t.is(await pinging.code, 0)
    t.true(terminal.complaint.endsWith('\r\u001b[K'))
    t.regex(terminal.said, /\d+ sent, \d+ answered/)
  })
})

onPosix('a program behind a socket gets frames and answers, a process for each connection', async (t) => {
  const endpoint = newEndpoint()
  await whileListening(['serve', endpoint, '--framing', 'line', '--', 'tr', 'a-z', 'A-Z'], async ({ terminal }) => {
    const input = Array.from({ length: 20_000 }, (_, i) => `line ${String(i)}\n`).join('')
    const results = await Promise.all([
      run(['send', endpoint, '--framing', 'line'], input),
      run(['send', endpoint, '--framing', 'line'], 'abc'),
    ])
    t.deepEqual(results, [
      [0, input.toUpperCase(), ''],
      [0, 'ABC\n', ''],
    ])
    t.is(terminal.complaint, `listening on ${endpoint}\n`)
  })
})

onPosix('a program that fails or is not there is one line, and its peer sees the end', async (t) => {
  const failing = newEndpoint()
  await whileListening(['serve', failing, '--framing', 'raw', '--', 'sh', '-c', 'exit 3'], async ({ terminal }) => {
    t.deepEqual(await run(['send', failing, '--framing', 'raw']), [0, '', ''])
    await until(() => terminal.complaint.includes('connection 1: '))
    t.regex(terminal.complaint, /connection 1: .*\b3\b.*\n$/)
  })
  const absent = newEndpoint()
  await whileListening(['serve', absent, '--', 'no-such-program'], async ({ terminal }) => {
    await run(['send', absent])
    await until(() => terminal.complaint.includes('connection 1: '))
    t.regex(terminal.complaint, /connection 1: starting no-such-program: .*\n$/)
  })
})

onPosix('a program that is at work is gone when serving ends', async (t) => {
  const endpoint = newEndpoint()
  const client = await createEngine({ shards: 1 })
  try {
    let pid = 0
    await whileListening(['serve', endpoint, '--framing', 'line', '--', 'sh', '-c', 'echo $$; exec cat'], async () => {
      const connection = await client.transport(endpoint, { framing: 'line' }).connect()
      pid = Number(String(await connection.receive()))
      t.true(pid > 0)
    })
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  } finally {
    await client.close()
  }
})

test.serial('what cannot be had is one line: 1 for the peer, 2 for the command line', async (t) => {
  const endpoint = newEndpoint()
  const [code, said, complaint] = await run(['ping', endpoint])
  t.deepEqual([code, said], [1, ''])
  t.regex(complaint, /^symphony-transport: ERR_(NOT_FOUND|REFUSED): .*\n$/)
  await whileListening(['serve', endpoint], async () => {
    const [taken, , why] = await run(['listen', endpoint])
    t.is(taken, 1)
    t.regex(why, /^symphony-transport: ERR_ADDRESS_IN_USE: .*\n$/)
  })
  if (process.platform === 'win32') return
  const [misused, , mistake] = await run(['ping', 'shm:a', '--framing', 'line'])
  t.is(misused, 2)
  t.regex(mistake, /^symphony-transport: ERR_INVALID_OPTION: .*framing.*\n$/)
})
