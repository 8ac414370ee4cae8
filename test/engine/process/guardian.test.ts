/** The guardian's script: which processes it ends when its stdin ends, and which it must not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { Guardian } from '../../../engine/process/guardian.js'
import { GUARDIAN_SCRIPT } from '../../../engine/process/guardian-script.js'
import { Ledger } from '../../../engine/common/ledger.js'
import { signal } from '../../helpers/turns.js'

const WATCHDOG_MS = 20_000

const declare = process.platform === 'linux' ? test : test.skip

function startOf(pid: number): string {
  const stat = fs.readFileSync(`/proc/${String(pid)}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/**
 * Starts a process, reports it to the script, ends the script's stdin, and returns the signal that ended the process,
 * if any.
 */
async function howWardEnds(
  t: ExecutionContext,
  report: (pid: number) => string,
  { script = GUARDIAN_SCRIPT, detached = false } = {},
): Promise<string> {
  t.timeout(WATCHDOG_MS)
  const ward = spawn('/bin/sleep', ['1000'], { stdio: 'ignore', detached })
  const ended = once(ward, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  try {
    const shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'inherit', 'inherit'] })
    const over = once(shell, 'exit')
    shell.stdin.end(report(ward.pid ?? 0))
    t.deepEqual(await over, [0, null])
    // The script's signals are numbered lower, so they come first.
    ward.kill('SIGIO')
    const [, by] = await ended
    return by === 'SIGIO' ? 'alive' : String(by)
  } finally {
    ward.kill('SIGKILL')
    await ended
  }
}

declare('at the end of its stdin it ends the processes on its list', async (t) => {
  t.is(await howWardEnds(t, (pid) => `add ${String(pid)} ${startOf(pid)} 0 0 100\n`), 'SIGTERM')
  t.is(await howWardEnds(t, (pid) => `add ${String(pid)} ${startOf(pid)} 0 0 0\n`), 'SIGKILL')
})

declare('it ends a process group', async (t) => {
  const report = (pid: number): string => `add ${String(pid)} ${startOf(pid)} 1 0 100\n`
  t.is(await howWardEnds(t, report, { detached: true }), 'SIGTERM')
  // One that has left it, or never was in it.
  t.is(await howWardEnds(t, report), 'SIGTERM')
})

declare('it leaves processes alone that were removed from its list', async (t) => {
  const report = (pid: number): string =>
    `add 1 1 0 0 0\nadd ${String(pid)} ${startOf(pid)} 0 0 0\ndel ${String(pid)}\ndel 1\n`
  t.is(await howWardEnds(t, report), 'alive')
})

for (const detached of [false, true]) {
  declare(`it leaves a process alone whose number was reused, ${detached ? 'a group' : 'a process'}`, async (t) => {
    const report = (pid: number): string => `add ${String(pid)} 1 ${detached ? '1' : '0'} 0 0\n`
    t.is(await howWardEnds(t, report, { detached }), 'alive')
  })
}

declare('an incomplete line is ignored', async (t) => {
  t.is(await howWardEnds(t, (pid) => `add ${String(pid)} ${startOf(pid)} 0 0 0`), 'alive')
})

declare(
  'if the host does not know when a process started, the guardian looks itself, with /proc or without',
  async (t) => {
    const report = (pid: number): string => `add ${String(pid)} - 0 0 100\n`
    t.is(await howWardEnds(t, report), 'SIGTERM')
    const script = GUARDIAN_SCRIPT.replace('/proc/self/stat', '/proc/self/nothing')
    t.not(script, GUARDIAN_SCRIPT)
    t.is(await howWardEnds(t, report, { script }), 'SIGTERM')
    t.is(await howWardEnds(t, (pid) => `add ${String(pid)} Thu_Jan_1 0 0 0\n`, { script }), 'alive')
  },
)

declare('without a shell there is a warning, and children still start', async (t) => {
  const warned = signal<Error>()
  process.once('warning', warned.resolve)
  const ledger = new Ledger()
  const guardian = new Guardian(ledger, '/no/such/shell')
  await guardian.start()
  guardian.watch(1, { processGroup: false, terminateAfterMs: 0, killAfterMs: 0 })
  guardian.forget(1)
  const warning = await warned.promise
  t.is((warning as NodeJS.ErrnoException).code, 'SYMPHONY_NO_GUARDIAN')
  await guardian.close()
  t.is(ledger.report().opened, 0)
})
