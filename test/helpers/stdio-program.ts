/**
 * test/fixtures/stdio-connection.ts in a separate process, with a chosen stdin and stdout. It reports on
 * stderr.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { endWithUs } from './with-us.js'

/** What one of them is; 'leaving': a pipe whose reader takes a little and goes. */
export type OwnStdin = 'pipe' | 'socket' | { readonly file: string }
export type OwnStdout = OwnStdin | 'leaving'

export interface OwnProgramChoices {
  readonly stdin: OwnStdin
  readonly stdout: OwnStdout
  readonly env?: Readonly<Record<string, string>>
  /** Runs in the shell after the program, with its stdin and stdout. */
  readonly then?: string
}

export const ownProgramPath = fileURLToPath(new URL('../fixtures/stdio-connection.js', import.meta.url))

/** What the shell says when a pipe has ended: it holds the outer stream open itself. */
const END_OF_PIPE = '\0end of pipe\0'

export class StdioProgram {
  readonly stdin: Writable
  readonly stdout: Readable
  /** Settles with all that it reported when it and all around it have ended. */
  readonly over: Promise<readonly string[]>
  readonly #process: ChildProcess
  readonly #reports: string[] = []
  #read = 0
  #isOver = false
  #wake: (() => void) | undefined

  static start(args: readonly string[], choices: OwnProgramChoices): StdioProgram {
    const { stdin, stdout, then = '' } = choices
    const program = then === '' ? '"$@"' : `{ "$@"; ${then}; }`
    const from = stdin === 'pipe' ? 'cat |' : ''
    const redirected = [
      typeof stdin === 'object' ? '<"$OWN_STDIN"' : '',
      typeof stdout === 'object' ? '>"$OWN_STDOUT"' : '',
    ].join(' ')
    const to = {
      pipe: `| { cat; printf '\\000end of pipe\\000'; }`,
      leaving: '| head -c 1 >/dev/null',
      socket: '',
      file: '',
    }[typeof stdout === 'object' ? 'file' : stdout]
    const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: undefined, ...choices.env }
    if (typeof stdin === 'object') env['OWN_STDIN'] = stdin.file
    if (typeof stdout === 'object') env['OWN_STDOUT'] = stdout.file
    // No other process may hold a socket, or closing it would not be its end.
    const exec = stdin === 'socket' && stdout === 'socket' ? 'exec' : ''
    const script = `${exec} ${from} ${program} ${redirected} ${to}`
    const command = [process.execPath, '--trace-warnings', ownProgramPath, ...args]
    // Its own group: all of it can be ended at last.
    return new StdioProgram(spawn('/bin/sh', ['-c', script, 'sh', ...command], { env, detached: true }))
  }

  constructor(started: ChildProcess, stdin: Writable | null = started.stdin, stdout: Readable | null = started.stdout) {
    const { stderr } = started
    if (stdin === null || stdout === null || stderr === null) throw new Error('it was started without pipes')
    this.#process = endWithUs(started)
    this.stdin = stdin
    this.stdout = stdout
    stdin.on('error', () => undefined)
    let rest = ''
    stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.#reports.push(...lines)
      this.#wake?.()
    })
    this.over = new Promise((resolve) => {
      started.once('close', () => {
        if (rest !== '') this.#reports.push(rest)
        this.#isOver = true
        this.#wake?.()
        resolve(this.#reports)
      })
    })
  }

  /** What it has reported so far. */
  get reports(): readonly string[] {
    return this.#reports
  }

  /** The next report. */
  async report(): Promise<string> {
    for (;;) {
      const line = this.#reports[this.#read]
      if (line !== undefined) {
        this.#read++
        return line
      }
      if (this.#isOver) throw new Error(`it ended after ${this.#reports.join('; ')}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** `length` bytes of its stdout, as text. */
  async read(length: number): Promise<string> {
    for (;;) {
      const bytes: unknown = this.stdout.read(length)
      if (bytes instanceof Buffer) return String(bytes)
      await once(this.stdout, 'readable')
    }
  }

  /** Everything on its stdout, to the end of that; `pause` comes between two reads. */
  async output(pause: () => Promise<void> = () => Promise.resolve()): Promise<Buffer> {
    const chunks: Buffer[] = []
    let tail = ''
    for await (const chunk of this.stdout as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      tail = (tail + chunk.toString('latin1')).slice(-END_OF_PIPE.length)
      if (tail === END_OF_PIPE) return Buffer.concat(chunks).subarray(0, -END_OF_PIPE.length)
      await pause()
    }
    return Buffer.concat(chunks)
  }

  /** Ends whatever is left of it. */
  async stop(): Promise<void> {
    const { pid } = this.#process
    if (!this.#isOver && pid !== undefined) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }
    this.stdin.destroy()
    this.stdout.resume()
    await this.over
  }
}
