/**
 * A child process whose stdin and stdout are sockets; a shard has the other ends.
 *
 * Main spawns and reaps it, and touches none of its bytes but stderr's. A worker could not: when it dies, the children
 * that it has spawned become zombies, which no other thread can reap.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import process from 'node:process'
import type { AttachedProcess, ProcessExit } from '../common/attached-process.js'
import type { Ledger } from '../common/ledger.js'
import { trace } from '../common/trace.js'
import type { Clock } from '../protocol/clock.js'
import { assertDescriptors } from '../sockets/spare-descriptors.js'
import { StderrReader } from './child-stderr.js'
import type { Guardian } from './guardian.js'
import { spawnError, type SpawnedCommand } from './spawn-failure.js'
import type { StdioEnds } from './stdio-end.js'
import { Termination, type TerminationSettings } from './termination.js'

/** What becomes of a child's stderr: kept for error messages, dropped, the host's own, or line by line. */
export type ChildStderr = 'capture' | 'ignore' | 'inherit' | ((line: string) => unknown)

export interface ChildSettings extends SpawnedCommand, TerminationSettings {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv | undefined
  readonly stderr: ChildStderr
  /** It is ended in the same steps when a signal ends the host. */
  readonly guard: boolean
}

export interface ChildContext {
  readonly endpoint: string
  /** The function for stderr has thrown, and is not called again. */
  readonly onStderrFailure: (cause: unknown) => void
  readonly ledger: Ledger
  readonly clock: Clock
  /** Undefined: there is none, or none is wanted. */
  readonly guardian: Guardian | undefined
}

/** Children of this process that live, or whose group may: none may outlive its exit. */
const living = new Set<Termination>()

function killLiving(): void {
  for (const termination of living) termination.kill()
}

export class Child implements AttachedProcess {
  readonly pid: number
  readonly exited: Promise<ProcessExit>
  /** Settles when nothing is left of it, nor of its process group where it has one. */
  readonly gone: Promise<void>
  readonly #stderr: StderrReader | undefined
  readonly #termination: Termination

  private constructor(
    spawned: ChildProcess,
    settings: ChildSettings,
    { ledger, clock, onStderrFailure, guardian }: ChildContext,
  ) {
    const pid = spawned.pid ?? 0
    this.pid = pid
    const termination = new Termination(spawned, pid, settings, clock)
    this.#termination = termination
    ledger.open('children')
    if (living.size === 0) process.on('exit', killLiving)
    living.add(termination)
    if (spawned.stderr !== null) {
      const onLine = typeof settings.stderr === 'function' ? settings.stderr : undefined
      this.#stderr = new StderrReader(spawned.stderr, onLine, onStderrFailure, clock)
    }
    // The connection keeps the host alive, not the process behind it.
    spawned.unref()
    const reaped = new Promise<{ readonly exit: ProcessExit; readonly groupGone: Promise<void> }>((resolve) => {
      spawned.once('exit', (exitCode, signal) => {
        trace('child %d: exited, %s', pid, signal ?? exitCode)
        ledger.release('children')
        resolve({ exit: { exitCode, signal }, groupGone: termination.onExit() })
      })
    })
    this.exited = reaped.then(async ({ exit }) => {
      await this.#stderr?.drain()
      return exit
    })
    const groupGone = reaped.then((end) => end.groupGone)
    this.gone = Promise.all([this.exited, groupGone]).then(() => undefined)
    void groupGone.then(() => {
      guardian?.forget(pid)
      living.delete(termination)
      if (living.size === 0) process.off('exit', killLiving)
    })
  }

  /** The ends become the child's; main's are closed. Rejects with ERR_SPAWN, or ERR_IO if the system has no room. */
  static start(settings: ChildSettings, [stdin, stdout]: StdioEnds, context: ChildContext): Promise<Child> {
    const { command, args, cwd, env, processGroup } = settings
    const stderr = typeof settings.stderr === 'function' || settings.stderr === 'capture' ? 'pipe' : settings.stderr
    const closeEnds = (): void => {
      stdin.close()
      stdout.close()
    }
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        closeEnds()
        reject(spawnError(cause as NodeJS.ErrnoException, settings, context.endpoint))
      }
      let spawned: ChildProcess
      try {
        assertDescriptors()
        spawned = spawn(command, [...args], {
          cwd,
          env,
          stdio: [stdin.stdio, stdout.stdio, stderr],
          detached: processGroup,
          windowsHide: true,
        })
        if (spawned.pid !== undefined) context.guardian?.watch(spawned.pid, settings)
      } catch (error) {
        fail(error)
        return
      }
      spawned.once('error', fail)
      spawned.once('spawn', () => {
        spawned.off('error', fail)
        // Later errors are of signals that could not be sent: the process is gone, as its exit says.
        spawned.on('error', () => undefined)
        closeEnds()
        trace('child %d: %s', spawned.pid, command)
        resolve(new Child(spawned, settings, context))
      })
    })
  }

  get stderrHead(): string {
    return this.#stderr?.head ?? ''
  }

  endSoon(): void {
    this.#termination.advance('endSoon')
  }

  endNow(): void {
    this.#termination.advance('endNow')
  }
}
