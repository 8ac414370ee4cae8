/** The command line as processes: what the shell sees of them. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import process from 'node:process'
import test from 'ava'
import { CliProgram, mainPath } from '../helpers/cli-program.js'
import { randomName } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000

// Windows has no signals that let a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test.serial

test.beforeEach((t) => t.timeout(WATCHDOG_MS))

onPosix('serve, ping and send meet as processes; a closed pipe and a signal end them well', async (t) => {
  const endpoint = `local:${randomName()}`
  const server = new CliProgram('serve', endpoint)
  try {
    await server.listening()
    const ping = new CliProgram('ping', endpoint, '--count', '10', '--json')
    const { code, stdout, stderr } = await ping.ended
    t.deepEqual([code, stderr], [0, ''])
    t.like(JSON.parse(stdout), { sent: 10, answered: 10 })

    // As with `| head -1`: its input goes on, and nobody reads what it prints.
    const send = new CliProgram('send', endpoint)
    send.child.stdin.write('first\n')
    await once(send.child.stdout, 'data')
    send.child.stdout.destroy()
    send.child.stdin.write('second\n')
    t.like(await send.ended, { code: 0, signal: null, stdout: 'first\n', stderr: '' })

    const ended = await server.kill('SIGTERM')
    t.like(ended, { code: 143, signal: null, stdout: '' })
    t.regex(ended.stderr, /^listening on .*\n(connection \d+: ERR_RESET.*\n)?$/)
  } finally {
    server.child.kill('SIGKILL')
  }
})

onPosix('listen prints on stdout alone what comes, and ends with 130 at SIGINT', async (t) => {
  const endpoint = `local:${randomName()}`
  const listening = new CliProgram('listen', endpoint)
  try {
    await listening.listening()
    const send = new CliProgram('send', endpoint, '--frame', 'hello', '--reply', '0')
    t.like(await send.ended, { code: 0, stdout: '', stderr: '' })
    await listening.saying('1: hello\n')
    const { code, stdout, stderr } = await listening.kill('SIGINT')
    t.deepEqual([code, stdout, stderr], [130, '1: hello\n', `listening on ${endpoint}\n`])
  } finally {
    listening.child.kill('SIGKILL')
  }
})

test.serial('doctor finds that here all that is needed works', async (t) => {
  const { code, stdout, stderr } = await new CliProgram('doctor', '--json').ended
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: readonly { what: string; state: string }[] }
  t.deepEqual([code, ok, stderr], [0, true, ''], stdout)
  t.true(findings.some(({ what, state }) => what === 'worker threads' && state === 'ok'))
  t.false(findings.some(({ state }) => state === 'missing'))
})

const onLinux = process.platform === 'linux' ? test.serial : test.skip

onLinux('an output that cannot be written is a failure, in one line', (t) => {
  const full = openSync('/dev/full', 'w')
  const env = { ...process.env, NODE_OPTIONS: undefined }
  const { status, stderr } = spawnSync(process.execPath, [mainPath, '--help'], { env, stdio: ['ignore', full, 'pipe'] })
  closeSync(full)
  t.is(status, 1)
  t.regex(String(stderr), /^symphony-transport: the output cannot be written: ENOSPC: .*\n$/)
})

test.serial('a mistake is one line without a stack, and nothing is started', async (t) => {
  const { code, stdout, stderr } = await new CliProgram('ping', 'local:a', '--cuont', '3').ended
  t.deepEqual([code, stdout], [2, ''])
  const expected =
    'symphony-transport: ping takes no --cuont; did you mean --count? See symphony-transport ping --help.\n'
  t.is(stderr, expected)
})
