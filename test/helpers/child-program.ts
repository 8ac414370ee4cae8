/** A program of test/fixtures in a separate process, which prints lines on stdout. */
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs } from './with-us.js'

export interface ChildExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly lines: readonly string[]
  /** Everything on stderr: warnings and unhandled rejections come out here. */
  readonly stderr: string
}

export interface ChildSettings {
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly nodeArgs?: readonly string[]
  /** Raises the limit of open files as far as the system lets it. */
  readonly manyFiles?: boolean
  /** Sets that limit. */
  readonly openFiles?: number
  /** How much it may take of its address space, in KiB. */
  readonly addressKiB?: number
  /** Sockets of this process that it gets as systemd gives them, by their numbers: from 3 on, with LISTEN_FDS. */
  readonly activated?: readonly number[]
}

export class ChildProgram {
  /** Settles when the process has ended and its output is complete. */
  readonly exit: Promise<ChildExit>
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  #read = 0
  #over = false
  #stderr = ''
  #wake: (() => void) | undefined

  static start(fixture: string, args: readonly string[] = [], settings: ChildSettings = {}): ChildProgram {
    const path = fileURLToPath(new URL(`../fixtures/${fixture}.js`, import.meta.url))
    return ChildProgram.startFile(path, args, settings)
  }

  /** Any other program. */
  static startFile(
    path: string,
    args: readonly string[] = [],
    { env: more = {}, nodeArgs = [], manyFiles = false, openFiles, addressKiB, activated }: ChildSettings = {},
  ): ChildProgram {
    // Nothing of the test runner's: undefined means that the child does not have it.
    const env = {
      ...process.env,
      NODE_OPTIONS: undefined,
      FORCE_COLOR: undefined,
      NO_COLOR: undefined,
      // Node reads it in another thread, and what is started meanwhile has it open.
      NODE_EXTRA_CA_CERTS: undefined,
      ...more,
    }
    const command = [process.execPath, '--trace-warnings', ...nodeArgs, path, ...args]
    const files = manyFiles ? '"$(ulimit -Hn)"' : openFiles
    const limits = [
      ...(files === undefined ? [] : [`ulimit -n ${String(files)}`]),
      ...(addressKiB === undefined ? [] : [`ulimit -v ${String(addressKiB)}`]),
      // Its own number, which only it knows: what it runs in its place keeps it.
      ...(activated === undefined ? [] : [`export LISTEN_PID=$$ LISTEN_FDS=${String(activated.length)}`]),
    ]
    const limited = ['/bin/sh', '-c', [...limits, 'exec "$@"'].join('; '), 'sh', ...command]
    const [program = '', ...rest] = limits.length === 0 ? command : limited
    return new ChildProgram(
      endWithUs(spawn(program, rest, { env, stdio: ['pipe', 'pipe', 'pipe', ...(activated ?? [])] })),
    )
  }

  private constructor(child: ReturnType<typeof spawn>) {
    this.#child = child
    let rest = ''
    child.stdin?.on('error', () => undefined)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.#lines.push(...lines)
      this.#wake?.()
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.exit = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        this.#over = true
        this.#wake?.()
        resolve({ code, signal, lines: this.#lines, stderr: this.#stderr })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The next line, which must be this one. */
  async line(expected: string): Promise<void> {
    const line = await this.next()
    if (line !== expected) throw new Error(`the child said ${line} instead of ${expected}\n${this.#stderr}`)
  }

  /** The next line, whatever it is. */
  async next(): Promise<string> {
    for (;;) {
      const line = this.#lines[this.#read]
      if (line !== undefined) {
        this.#read++
        return line
      }
      if (this.#over) throw new Error(`the child ended before it said anything more\n${this.#stderr}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /**
   * Proves that something keeps the child's event loop alive. It answers on a stdin that keeps nothing alive, so a
   * loop without anything else to wait for ends in the turn in which it answers, and a second answer never comes.
   */
  async proveAlive(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      this.tell('ping')
      await this.line('pong')
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}
