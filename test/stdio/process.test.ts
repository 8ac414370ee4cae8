/** A program's stdin and stdout, of every kind, in separate programs. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { byLength } from '../helpers/length.js'
import { StdioProgram, ownProgramPath, type OwnProgramChoices } from '../helpers/stdio-program.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { turns } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
/** Far more than a pipe holds, and than `process.exit()` would let through. */
const FLOOD_BYTES = 8_388_608
const BOTH_PIPES = { stdin: 'pipe', stdout: 'pipe' } as const
const BOTH_SOCKETS = { stdin: 'socket', stdout: 'socket' } as const

failOnWarnings()

interface Scene {
  readonly folder: TemporaryFolder
  readonly start: (args: readonly string[], choices: OwnProgramChoices) => StdioProgram
  /** Stopped at the end. */
  readonly keep: (program: StdioProgram) => StdioProgram
}

function scene(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>, applies = true): void {
  const declare = process.platform === 'linux' && applies ? test.serial : test.serial.skip
  declare(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const programs: StdioProgram[] = []
    const keep = (program: StdioProgram): StdioProgram => {
      programs.push(program)
      return program
    }
    try {
      await body(t, { folder, keep, start: (args, choices) => keep(StdioProgram.start(args, choices)) })
    } finally {
      await Promise.all(programs.map((program) => program.stop()))
      await folder.remove()
    }
  })
}

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

/** The end of an echo that went well. */
const ECHOED = ['open stdio stdio:', 'closed OK', 'exit 0']

/** Enough to go round in every ring and socket, in lines. */
function text(): Buffer {
  const lines = Array.from({ length: 40_000 }, (_, i) => `line ${String(i)} ${'x'.repeat(i % 100)}\n`)
  return Buffer.from(lines.join(''))
}

const KINDS = ['pipe', 'socket', 'file'] as const

for (const stdin of KINDS) {
  for (const stdout of byLength<readonly (typeof KINDS)[number][]>({ short: [stdin], long: KINDS })) {
    scene(
      `from a ${stdin} to a ${stdout}: everything arrives, and the end of stdin ends the connection`,
      async (t, { folder, start }) => {
        const [from, to] = [join(folder.path, 'in'), join(folder.path, 'out')]
        const sent = text()
        fs.writeFileSync(from, sent)
        const program = start(['echo', 'line'], {
          stdin: stdin === 'file' ? { file: from } : stdin,
          stdout: stdout === 'file' ? { file: to } : stdout,
        })
        if (stdin !== 'file') program.stdin.end(sent)
        const output = await program.output()
        t.deepEqual(await program.over, ECHOED)
        t.is(sha1(stdout === 'file' ? fs.readFileSync(to) : output), sha1(sent))
      },
    )
  }
}

scene('/dev/null has ended, and takes everything', async (t, { start }) => {
  const choices = { stdin: { file: '/dev/null' }, stdout: { file: '/dev/null' } }
  t.deepEqual(await start(['echo', 'line'], choices).over, ECHOED)
  const [sent, ...rest] = await start(['flood', String(FLOOD_BYTES), 'return'], choices).over
  t.regex(sent ?? '', /^sent /)
  t.deepEqual(rest, ['closed OK', 'exit 0'])
})

scene('a full disk ends the connection with an error', async (t, { start }) => {
  const choices = { stdin: 'socket', stdout: { file: '/dev/full' } } as const
  const reports = await start(['send for ever'], choices).over
  t.deepEqual(reports, ['refused ERR_CLOSED', 'closed ERR_IO ENOSPC', 'again ERR_CLOSED', 'exit 0'])
})

scene('one socket can be both stdin and stdout', async (t, { folder, keep }) => {
  const path = folder.socketPath()
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const accepting = new Promise<net.Socket>((resolve) => server.once('connection', resolve))
  const ours = net.connect({ path, allowHalfOpen: true })
  const theirs = await accepting
  const env = { ...process.env, NODE_OPTIONS: undefined }
  const started = spawn(process.execPath, ['--trace-warnings', ownProgramPath, 'echo', 'line'], {
    env,
    stdio: [theirs, theirs, 'pipe'],
    detached: true,
  })
  theirs.destroy()
  server.close()
  const program = keep(new StdioProgram(started, ours, ours))
  const sent = text()
  ours.end(sent)
  t.is(sha1(await program.output()), sha1(sent))
  t.deepEqual(await program.over, ECHOED)
})

for (const framing of byLength({ short: ['content-length'], long: ['length', 'content-length', 'raw'] } as const)) {
  scene(`bytes of the ${framing} framing go in and out unchanged`, async (t, { start }) => {
    const program = start(['echo', framing], BOTH_PIPES)
    const frame = Buffer.alloc(300_000, 'frame')
    const header = Buffer.alloc(4)
    header.writeUInt32LE(frame.length)
    const wire = {
      length: Buffer.concat([header, frame]),
      'content-length': Buffer.concat([Buffer.from(`Content-Length: ${String(frame.length)}\r\n\r\n`), frame]),
      raw: frame,
    }[framing]
    program.stdin.end(wire)
    t.true((await program.output()).equals(wire))
    t.deepEqual(await program.over, ECHOED)
  })
}

for (const way of ['close', 'return'] as const) {
  const end = way === 'close' ? 'the engine has closed' : 'the program has returned'
  for (const choices of [BOTH_PIPES, BOTH_SOCKETS]) {
    scene(`a slow reader of a ${choices.stdout} gets everything that was sent before ${end}`, async (t, { start }) => {
      const program = start(['flood', String(FLOOD_BYTES), way], choices)
      program.stdin.end()
      const sent = await program.report()
      await turns(50)
      t.deepEqual(program.reports, [sent], 'it waits for its reader')
      const output = await program.output(() => turns(2))
      t.is(output.length, FLOOD_BYTES)
      t.is(`sent ${sha1(output)}`, sent)
      const last = way === 'close' ? ['closed OK', 'leaked 0', 'exit 0'] : ['closed OK', 'exit 0']
      t.deepEqual(await program.over, [sent, ...last])
    })
  }

  scene(`a file has all that was sent before ${end}`, async (t, { folder, start }) => {
    const to = join(folder.path, 'out')
    fs.writeFileSync(to, '')
    const choices = { stdin: { file: '/dev/null' }, stdout: { file: to } }
    const [sent, ...rest] = await start(['flood', String(FLOOD_BYTES), way], choices).over
    t.is(sent, `sent ${sha1(fs.readFileSync(to))}`)
    t.is(rest.at(-1), 'exit 0')
  })
}

scene('an open connection keeps the process alive until its peer ends', async (t, { start }) => {
  const program = start(['answer'], BOTH_PIPES)
  t.is(await program.report(), 'open')
  for (const word of ['one', 'two', 'three']) {
    program.stdin.write(`${word}\n`)
    t.is(await program.read(word.length + 1), `${word}\n`)
  }
  program.stdin.end()
  t.is(String(await program.output()), '')
  t.deepEqual(await program.over, ['open', 'closed OK', 'exit 0'])
})

scene('there is one connection, once, and listen() is refused', async (t, { start }) => {
  const program = start(['refuse'], BOTH_PIPES)
  while ((await program.report()).split(' ')[0] !== 'elsewhere');
  program.stdin.end()
  t.deepEqual(await program.over, [
    'listen ERR_INVALID_ENDPOINT',
    'at once ERR_ADDRESS_IN_USE',
    'open ERR_ADDRESS_IN_USE',
    'elsewhere ERR_ADDRESS_IN_USE',
    'after ERR_CLOSED',
    'leaked 0',
    'exit 0',
  ])
})

scene('a connect that was aborted before it began leaves stdin and stdout to the next', async (t, { start }) => {
  const program = start(['retry'], BOTH_PIPES)
  program.stdin.end('word\n')
  t.is(String(await program.output()), 'word\n')
  t.deepEqual(await program.over, ['aborted ERR_ABORTED', 'open', 'closed OK', 'exit 0'])
})

for (const stdin of ['pipe', 'socket'] as const) {
  scene(
    `if the reader goes the connection ends with ERR_RESET, while stdin is an open ${stdin}`,
    async (t, { start }) => {
      const program = start(['send for ever'], { stdin, stdout: 'leaving' })
      const reports = []
      while (reports.at(-1) !== 'exit 0') reports.push(await program.report())
      t.deepEqual(reports, ['refused ERR_CLOSED', 'closed ERR_RESET EPIPE', 'again ERR_CLOSED', 'exit 0'])
    },
  )
}

scene('if the other end of a socket goes the connection ends with ERR_RESET', async (t, { start }) => {
  const program = start(['send for ever'], BOTH_SOCKETS)
  program.stdout.once('data', () => program.stdout.destroy())
  const [refused, closed, ...rest] = await program.over
  t.is(refused, 'refused ERR_CLOSED')
  t.regex(closed ?? '', /^closed ERR_RESET (EPIPE|ECONNRESET)$/)
  t.deepEqual(rest, ['again ERR_CLOSED', 'exit 0'])
})

const LET_GO = ['descriptors /dev/null /dev/null', 'next free']

for (const choices of [BOTH_PIPES, BOTH_SOCKETS]) {
  const what = `a ${choices.stdout}`

  scene(`end(): the reader of ${what} sees it, and what comes after still arrives`, async (t, { start }) => {
    const program = start(['end and listen'], choices)
    t.is(String(await program.output()), 'last\n')
    t.is(await program.report(), 'ended')
    program.stdin.end('one\ntwo\n')
    const [, ...rest] = await program.over
    t.deepEqual([...rest].sort(), ['closed OK', 'exit 0', 'heard one', 'heard two', ...LET_GO].sort())
  })

  for (const [way, code] of [
    ['close', 'ERR_TIMEOUT'],
    ['destroy', 'ERR_ABORTED'],
  ] as const) {
    scene(`${way}: the reader of ${what} sees the end although the program goes on`, async (t, { start }) => {
      const program = start(['stay', way], choices)
      const output = String(await program.output())
      if (way === 'close') t.is(output, 'last\n')
      t.is(await program.report(), `closed ${code}`)
      for (const line of LET_GO) t.is(await program.report(), line)
      t.regex(await program.report(), /^pid /)
    })
  }

  scene(`the death of the shard ends the connection, and the reader of ${what} sees it`, async (t, { start }) => {
    const program = start(['lose shard'], choices)
    program.stdin.write('go\n')
    t.is(String(await program.output()), 'last\n')
    t.is(await program.report(), 'closed ERR_SHARD_LOST')
    t.is(await program.report(), 'again ERR_CLOSED')
    for (const line of LET_GO) t.is(await program.report(), line)
    t.regex(await program.report(), /^pid /)
  })
}

scene('another process that shares the pipes finds them as they were', async (t, { start }) => {
  const then = 'grep flags /proc/self/fdinfo/0 /proc/self/fdinfo/1'
  for (const what of ['echo', 'lose shard']) {
    const program = start([what, 'line'], { ...BOTH_PIPES, then })
    program.stdin.end('go\n')
    if (what === 'lose shard') {
      let last = ''
      while (!last.startsWith('pid ')) last = await program.report()
      // Killed, so it cannot restore anything at its end.
      process.kill(Number(last.slice(4)), 'SIGKILL')
    }
    const output = String(await program.output())
    const flags = [...output.matchAll(/flags:\s+([0-7]+)/g)].map(([, octal = '']) => Number.parseInt(octal, 8))
    t.is(flags.length, 2)
    t.true(
      flags.every((bits) => (bits & fs.constants.O_NONBLOCK) === 0),
      output,
    )
    await program.over
  }
})

/** Starts a command in its own terminal and types into it; undefined: no program here can. */
function terminal(): ((command: string) => readonly string[]) | undefined {
  if (String(spawnSync('script', ['--version']).stdout).includes('util-linux'))
    return (command) => ['script', '-qec', command, '/dev/null']
  const python = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(["/bin/sh", "-c", sys.argv[1]])))'
  if (spawnSync('python3', ['-c', 'import pty']).status === 0) return (command) => ['python3', '-c', python, command]
  return undefined
}

const inTerminal = process.platform === 'linux' ? terminal() : undefined
const reason = inTerminal === undefined ? ' (skipped: neither script of util-linux nor python3 is here)' : ''

for (const [from, to] of [
  ['terminal', 'terminal'],
  ['terminal', 'file'],
  ['file', 'terminal'],
  ['terminal', 'pipe'],
] as const) {
  scene(
    `from a ${from} to a ${to}: the connection ends with Ctrl-D, and the terminal keeps its mode${reason}`,
    async (t, { folder, keep }) => {
      const [input, output, reports] = [
        join(folder.path, 'in'),
        join(folder.path, 'out'),
        join(folder.path, 'reports'),
      ] as const
      fs.writeFileSync(input, 'one\ntwo\n')
      const ends = [
        from === 'file' ? `<${input}` : '',
        to === 'file' ? `>${output}` : to === 'pipe' ? `| cat >${output}` : '',
      ].join(' ')
      const program = `'${process.execPath}' --trace-warnings '${ownProgramPath}' echo line 2>${reports} ${ends}`
      const [command = '', ...args] = inTerminal?.(`stty -g; ${program}; echo; stty -g`) ?? []
      const env = { ...process.env, NODE_OPTIONS: undefined }
      const session = keep(new StdioProgram(spawn(command, args, { env, detached: true })))
      if (from === 'terminal') session.stdin.write('one\ntwo\n\x04')
      const shown = String(await session.output())
        .split('\r\n')
        .filter(Boolean)
      await session.over
      t.deepEqual(fs.readFileSync(reports, 'utf8').trim().split('\n'), ECHOED)
      const said = to === 'terminal' ? shown : fs.readFileSync(output, 'utf8').split('\n')
      // What is typed is shown too.
      const times = from === 'terminal' && to === 'terminal' ? 2 : 1
      for (const word of ['one', 'two']) t.is(said.filter((line) => line === word).length, times, shown.join('|'))
      const modes = shown.filter((line) => /^[0-9a-f]+(:[0-9a-f]+){10,}$/.test(line))
      t.is(modes.length, 2)
      t.is(modes[0], modes[1])
    },
    inTerminal !== undefined,
  )
}
