/**
 * A child process whose stdin and stdout are sockets; a shard has the other ends.
 *
 * A worker that spawned it could not be trusted to reap it: when the worker dies, the child becomes a zombie that nobody
 * can wait for. So main spawns and reaps, and touches none of its bytes but stderr's.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import type net from 'node:net'
import process from 'node:process'
import { StringDecoder } from 'node:string_decoder'
import type { Companion, ProcessExit } from '../shared/companion.js'
import { TransportError } from '../shared/errors.js'
import type { Ledger } from '../shared/ledger.js'
import { trace } from '../shared/trace.js'
import type { Clock } from '../shared/waiter.js'

/** What becomes of a child's stderr: kept for error messages, dropped, the host's own, or line by line. */
export type ChildStderr = 'capture' | 'ignore' | 'inherit' | ((line: string) => void)

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
}

/** Kept of stderr for the message of an error. */
const STDERR_HEAD_CHARS = 2_048
/** How long the rest of stderr is waited for after the exit. */
const STDERR_DRAIN_MS = 100
/** A longer line of stderr is handed over in pieces. */
const STDERR_LINE_CHARS = 65_536

type State =
  | { readonly kind: 'running' }
  /** It was asked to end; the next step of the ladder comes when its timer fires. */
  | { readonly kind: 'ending'; readonly cancel: () => void }
  | { readonly kind: 'exited' }

/** Every child of this process that lives: none may outlive it. */
const living = new Set<Child>()

function killLiving(): void {
  for (const child of living) child.signal('SIGKILL')
}

export class Child implements Companion {
  readonly pid: number
  readonly exited: Promise<ProcessExit>
  readonly #process: ChildProcess
  readonly #settings: ChildSettings
  readonly #clock: Clock
  #state: State = { kind: 'running' }
  #stderrHead = ''

  private constructor(
    spawned: ChildProcess,
    pid: number,
    settings: ChildSettings,
    ledger: Ledger,
    clock: Clock,
  ) {
    this.#process = spawned
    this.pid = pid
    this.#settings = settings
    this.#clock = clock
    ledger.open('children')
    if (living.size === 0) process.on('exit', killLiving)
    living.add(this)
    this.#readStderr()
    // The connection keeps the host alive, not the process behind it.
    spawned.unref()
    this.exited = new Promise((resolve) => {
      spawned.once('exit', (exitCode, signal) => {
        trace('child %d: exited, %s', pid, signal ?? exitCode)
        if (this.#state.kind === 'ending') this.#state.cancel()
        this.#state = { kind: 'exited' }
        living.delete(this)
        if (living.size === 0) process.off('exit', killLiving)
        ledger.release('children')
        const { stderr } = spawned
        if (stderr === null || stderr.readableEnded) {
          resolve({ exitCode, signal })
          return
        }
        // What it said last may still be on its way; a grandchild may hold the pipe for ever.
        const settle = (): void => {
          cancel()
          stderr.off('end', settle)
          resolve({ exitCode, signal })
        }
        const cancel = clock.setTimer(settle, STDERR_DRAIN_MS)
        stderr.on('end', settle)
      })
    })
  }

  /** The sockets are the child's ends; main's copies of them are closed. Rejects with ERR_SPAWN. */
  static start(
    settings: ChildSettings,
    stdin: net.Socket,
    stdout: net.Socket,
    endpoint: string,
    ledger: Ledger,
    clock: Clock,
  ): Promise<Child> {
    const { command, args, cwd, env, processGroup } = settings
    const stderr =
      typeof settings.stderr === 'function' || settings.stderr === 'capture' ? 'pipe' : settings.stderr
    const forget = (): void => {
      stdin.destroy()
      stdout.destroy()
    }
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        forget()
        reject(spawnError(cause as NodeJS.ErrnoException, settings, endpoint))
      }
      let spawned: ChildProcess
      try {
        spawned = spawn(command, [...args], {
          cwd,
          env,
          stdio: [stdin, stdout, stderr],
          detached: processGroup,
          windowsHide: true,
        })
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
        resolve(new Child(spawned, spawned.pid ?? 0, settings, ledger, clock))
      })
    })
  }

  get stderrHead(): string {
    return this.#stderrHead.trim()
  }

  endSoon(): void {
    if (this.#state.kind !== 'running') return
    const { terminateAfterMs } = this.#settings
    // The ladder that the field uses: the end of stdin, a while, SIGTERM, a while, SIGKILL.
    this.#after(terminateAfterMs, () => {
      this.#terminate()
    })
  }

  endNow(): void {
    if (this.#state.kind === 'exited') return
    if (this.#state.kind === 'ending') this.#state.cancel()
    this.#terminate()
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#state.kind === 'exited') return
    trace('child %d: %s', this.pid, signal)
    if (this.#settings.processGroup && process.platform !== 'win32') {
      try {
        process.kill(-this.pid, signal)
        return
      } catch {
        // The group is gone; the child may still be there, under another one of its choice.
      }
    }
    this.#process.kill(signal)
  }

  #terminate(): void {
    this.signal('SIGTERM')
    this.#after(this.#settings.killAfterMs, () => {
      this.signal('SIGKILL')
    })
  }

  #after(ms: number, step: () => void): void {
    this.#process.ref()
    const cancel = this.#clock.setTimer(step, ms)
    this.#state = { kind: 'ending', cancel }
  }

  #readStderr(): void {
    const { stderr } = this.#process
    if (stderr === null) return
    const { stderr: mode } = this.#settings
    const decoder = new StringDecoder('utf8')
    let line = ''
    unrefStream(stderr)
    stderr.on('error', () => undefined)
    stderr.on('data', (chunk: Buffer) => {
      const text = decoder.write(chunk)
      if (this.#stderrHead.length < STDERR_HEAD_CHARS)
        this.#stderrHead = (this.#stderrHead + text).slice(0, STDERR_HEAD_CHARS)
      if (typeof mode !== 'function') return
      line += text
      const lines = line.split('\n')
      line = lines.pop() ?? ''
      for (const one of lines) mode(one.endsWith('\r') ? one.slice(0, -1) : one)
      for (; line.length > STDERR_LINE_CHARS; line = line.slice(STDERR_LINE_CHARS))
        mode(line.slice(0, STDERR_LINE_CHARS))
    })
    stderr.on('end', () => {
      line += decoder.end()
      if (line !== '' && typeof mode === 'function') mode(line)
    })
  }
}

/** A pipe from a child is a socket, which its type does not say. */
function unrefStream(stream: object): void {
  ;(stream as { unref?: () => void }).unref?.()
}

function spawnError(
  cause: NodeJS.ErrnoException,
  { command, cwd }: ChildSettings,
  endpoint: string,
): TransportError {
  const where = cwd === undefined ? '' : ` in ${cwd}`
  const advice =
    cause.code === 'ENOENT'
      ? 'there is no such command (or folder). Check the path, PATH and cwd'
      : cause.code === 'EACCES'
        ? 'it is not executable. Check its mode'
        : `${cause.message}. See the cause`
  return new TransportError('ERR_SPAWN', `starting ${command}${where}: ${advice}.`, { cause, endpoint })
}
