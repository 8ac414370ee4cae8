/**
 * A child process whose stdin and stdout are sockets; a shard has the other ends.
 *
 * A worker that spawned it could not be trusted to reap it: when the worker dies, the child becomes a zombie that
 * nobody can wait for. So main spawns and reaps, and touches none of its bytes but stderr's.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { basename, resolve as resolvePath } from 'node:path'
import process from 'node:process'
import type { AttachedProcess, ProcessExit } from '../common/attached-process.js'
import { TransportError } from '../protocol/errors.js'
import type { Ledger } from '../common/ledger.js'
import { describeDenial, isDenied } from '../protocol/permission.js'
import { trace } from '../common/trace.js'
import type { Clock } from '../protocol/clock.js'
import type { ChildEnd } from './child-end.js'
import { StderrReader } from './child-stderr.js'
import type { Guardian } from './guardian.js'
import { assertDescriptors, isShortage } from '../sockets/spare-descriptors.js'

/** What becomes of a child's stderr: kept for error messages, dropped, the host's own, or line by line. */
export type ChildStderr = 'capture' | 'ignore' | 'inherit' | ((line: string) => unknown)

export interface ChildSettings {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string | undefined
  readonly env: NodeJS.ProcessEnv | undefined
  readonly stderr: ChildStderr
  /** Its own process group, all of which is ended with it. */
  readonly processGroup: boolean
  /** From the end of its stdin to SIGTERM, milliseconds. */
  readonly terminateAfterMs: number
  /** From SIGTERM to SIGKILL, milliseconds. */
  readonly killAfterMs: number
  /** It goes through the same ladder when a signal ends the host. */
  readonly guard: boolean
}

/** How often is looked whether the rest of a process group is gone. */
const GROUP_LOOK_MS = 20

type State =
  | { readonly kind: 'running' }
  /** Its stdin has ended or will; SIGTERM comes when the timer fires. */
  | { readonly kind: 'asked'; readonly cancel: () => void }
  /** It got SIGTERM; SIGKILL comes when the timer fires. */
  | { readonly kind: 'told'; readonly cancel: () => void }
  | { readonly kind: 'exited' }

/** Every child of this process that lives, or of whose group there may be something left: none may outlive its exit. */
const living = new Set<Child>()

function killLiving(): void {
  for (const child of living) child.kill()
}

export interface ChildSurroundings {
  readonly endpoint: string
  /** The function for stderr has thrown, and is not called again. */
  readonly onStderrFailure: (cause: unknown) => void
  readonly ledger: Ledger
  readonly clock: Clock
  /** Undefined: there is none, or none is wanted. */
  readonly guardian: Guardian | undefined
}

export class Child implements AttachedProcess {
  readonly pid: number
  readonly exited: Promise<ProcessExit>
  /** Settles when nothing is left of it, nor of its process group where it has one. */
  readonly gone: Promise<void>
  readonly #process: ChildProcess
  readonly #settings: ChildSettings
  readonly #clock: Clock
  readonly #stderr: StderrReader | undefined
  #state: State = { kind: 'running' }

  private constructor(
    spawned: ChildProcess,
    pid: number,
    settings: ChildSettings,
    { ledger, clock, onStderrFailure, guardian }: ChildSurroundings,
  ) {
    this.#process = spawned
    this.pid = pid
    this.#settings = settings
    this.#clock = clock
    ledger.open('children')
    if (living.size === 0) process.on('exit', killLiving)
    living.add(this)
    if (spawned.stderr !== null) {
      const onLine = typeof settings.stderr === 'function' ? settings.stderr : undefined
      this.#stderr = new StderrReader(spawned.stderr, onLine, onStderrFailure, clock)
    }
    // The connection keeps the host alive, not the process behind it.
    spawned.unref()
    const reaped = new Promise<ProcessExit>((resolve) => {
      spawned.once('exit', (exitCode, signal) => {
        trace('child %d: exited, %s', pid, signal ?? exitCode)
        ledger.release('children')
        resolve({ exitCode, signal })
        const { kind } = this.#state
        if (this.#state.kind === 'asked' || this.#state.kind === 'told') this.#state.cancel()
        this.#state = { kind: 'exited' }
        if (this.#hasGroup && kind !== 'told') this.#signalGroup('SIGTERM')
      })
    })
    this.exited = reaped.then(async (exit) => {
      await this.#stderr?.drain()
      return exit
    })
    const groupGone = reaped.then(() => (this.#hasGroup ? this.#endGroup(settings.killAfterMs) : undefined))
    this.gone = Promise.all([this.exited, groupGone]).then(() => undefined)
    void groupGone.then(() => {
      guardian?.forget(pid)
      living.delete(this)
      if (living.size === 0) process.off('exit', killLiving)
    })
  }

  /**
   * The ends become the child's; main's are closed. Rejects with ERR_SPAWN, or ERR_IO for want of descriptors or
   * processes.
   */
  static start(
    settings: ChildSettings,
    stdin: ChildEnd,
    stdout: ChildEnd,
    surroundings: ChildSurroundings,
  ): Promise<Child> {
    const { command, args, cwd, env, processGroup } = settings
    const stderr = typeof settings.stderr === 'function' || settings.stderr === 'capture' ? 'pipe' : settings.stderr
    const forget = (): void => {
      stdin.close()
      stdout.close()
    }
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        forget()
        reject(spawnError(cause as NodeJS.ErrnoException, settings, surroundings.endpoint))
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
        if (spawned.pid !== undefined) surroundings.guardian?.watch(spawned.pid, settings)
      } catch (error) {
        fail(error)
        return
      }
      spawned.once('error', fail)
      spawned.once('spawn', () => {
        spawned.off('error', fail)
        // Later errors are of signals that could not be sent: the process is gone, which its exit says.
        spawned.on('error', () => undefined)
        forget()
        trace('child %d: %s', spawned.pid, command)
        resolve(new Child(spawned, spawned.pid ?? 0, settings, surroundings))
      })
    })
  }

  get stderrHead(): string {
    return this.#stderr?.head ?? ''
  }

  endSoon(): void {
    if (this.#state.kind !== 'running') return
    // The ladder that the field uses: the end of stdin, a while, SIGTERM, a while, SIGKILL.
    const cancel = this.#after(this.#settings.terminateAfterMs, () => {
      this.#terminate()
    })
    this.#state = { kind: 'asked', cancel }
  }

  endNow(): void {
    // Told once: a second SIGTERM means something else to some, and the time to SIGKILL is not to begin anew.
    if (this.#state.kind === 'exited' || this.#state.kind === 'told') return
    if (this.#state.kind === 'asked') this.#state.cancel()
    this.#terminate()
  }

  /** The host ends: at once, and whatever is left of its group too. */
  kill(): void {
    if (this.#hasGroup) this.#signalGroup('SIGKILL')
    this.#signal('SIGKILL')
  }

  #terminate(): void {
    this.#signal('SIGTERM')
    const cancel = this.#after(this.#settings.killAfterMs, () => {
      this.#signal('SIGKILL')
    })
    this.#state = { kind: 'told', cancel }
  }

  #after(ms: number, step: () => void): () => void {
    this.#process.ref()
    return this.#clock.setTimer(step, ms)
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#state.kind === 'exited') return
    trace('child %d: %s', this.pid, signal)
    // Where the group is gone the child may still be there, in another one of its choice.
    if (!this.#hasGroup || !this.#signalGroup(signal)) this.#process.kill(signal)
  }

  get #hasGroup(): boolean {
    return this.#settings.processGroup && process.platform !== 'win32'
  }

  /** False: nobody is in it. 0 asks without a signal. */
  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.pid, signal)
    } catch {
      return false
    }
  }

  /** The child is gone and its group was told to end: resolves when it has, with SIGKILL after so long. */
  #endGroup(leftMs: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (left: number): void => {
        if (!this.#signalGroup(left > 0 ? 0 : 'SIGKILL') || left <= 0) {
          resolve()
          return
        }
        const pause = Math.min(left, GROUP_LOOK_MS)
        this.#clock.setTimer(() => {
          look(left - pause)
        }, pause)
      }
      look(leftMs)
    })
  }
}

/** What a failure to start it, or what has to be there before it, is to the caller. */
export function spawnError(error: NodeJS.ErrnoException, settings: ChildSettings, endpoint: string): TransportError {
  const { command, cwd } = settings
  const cause = withoutArguments(error)
  if (isDenied(error))
    return new TransportError('ERR_ACCESS', `starting ${command}: ${describeDenial(error)}.`, {
      cause,
      endpoint,
    })
  if (isShortage(cause)) {
    // Nothing is wrong with the command: the same call may succeed later.
    return new TransportError(
      'ERR_IO',
      `starting ${command}: the system has no room for another process, or this one for another descriptor (${cause.message}). Close some, raise the limits (ulimit -n, ulimit -u), or retry later.`,
      { cause, endpoint },
    )
  }
  const where = cwd === undefined ? '' : ` in ${cwd}`
  return new TransportError('ERR_SPAWN', `starting ${command}${where}: ${whyNot(cause, settings)}.`, {
    cause,
    endpoint,
  })
}

/** Node puts the arguments into its error, which whoever prints it would print too: they may be secrets. */
function withoutArguments(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  Reflect.deleteProperty(error, 'spawnargs')
  return error
}

/** The system has one error for several mistakes: what is there and what is not tells them apart. */
function whyNot(cause: NodeJS.ErrnoException, { command, cwd }: ChildSettings): string {
  if (cwd !== undefined && ['ENOENT', 'ENOTDIR', 'EACCES'].includes(cause.code ?? '')) {
    const folder = statOf(cwd)
    if (folder === undefined) return `there is no folder ${cwd}. Check cwd`
    if (!folder.isDirectory()) return `${cwd} is not a folder. Check cwd`
  }
  const file = basename(command) !== command ? statOf(resolvePath(cwd ?? '.', command)) : undefined
  if (file?.isDirectory() === true) return 'it is a folder, not a command. Check its path'
  if (cause.code === 'ENOENT') {
    return file === undefined
      ? 'there is no such command. Check its path, or PATH'
      : 'the file is there, but not what it is to be run with. Check its first line'
  }
  if (cause.code === 'EACCES') return 'it is not executable. Check its mode'
  if (cause.code === 'EFTYPE') return 'it is not a program that this system can run. Check its path'
  if (cause.code === 'EINVAL' && /\.(?:bat|cmd)$/i.test(command))
    return 'a batch file needs a shell. Run cmd.exe with the arguments /d /s /c and the command'
  return `${cause.message}. See the cause`
}

function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path)
  } catch {
    return undefined
  }
}
