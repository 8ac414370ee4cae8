/**
 * A command whose output is kept, that is ended with all its processes when it takes too long, or when this process
 * ends.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { constants } from 'node:os'
import process from 'node:process'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'

export interface Ended {
  /** Null: a signal has ended it. */
  readonly code: number | null
  /** Of stdout and stderr, lines ended as on Unix; its last line says so if it took too long. */
  readonly output: string
}

export interface RunSettings {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** How long it may take. */
  readonly limitMs: number
  /**
   * Where its output goes. A file, because a process that is left over may hold a pipe for ever, and not every program
   * can write into a pipe.
   */
  readonly log: string
  readonly clock?: Clock
}

/** The process groups that run. */
const groups = new Set<number>()

function endAll(): void {
  for (const pid of groups) endGroup(pid)
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // No process is left in it.
  }
}

/** A terminal key or a caller ends this process alone, because the commands have their own groups. */
function listen(): void {
  process.once('exit', endAll)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
}

let isListening = false

/** Rejects if the command cannot be started. Needs process groups: not on Windows. */
export function runBounded(
  command: string,
  args: readonly string[],
  { cwd, env = process.env, limitMs, log, clock = systemClock }: RunSettings,
): Promise<Ended> {
  if (!isListening) listen()
  isListening = true
  const fd = fs.openSync(log, 'w')
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', fd, fd], detached: true })
    fs.closeSync(fd)
    child.once('error', reject)
    const { pid } = child
    if (pid === undefined) return
    groups.add(pid)
    let late = ''
    const cancel = clock.setTimer(() => {
      late = `\n${command} ${args.join(' ')} took longer than ${String(limitMs)} ms and was ended.\n`
      endGroup(pid)
    }, limitMs)
    child.once('exit', (code) => {
      cancel()
      groups.delete(pid)
      resolve({
        code: late === '' ? code : null,
        output: fs.readFileSync(log, 'utf8').replaceAll('\r\n', '\n') + late,
      })
    })
  })
}
