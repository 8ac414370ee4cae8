/** The command line as a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { endWithUs } from './with-us.js'

export const mainPath = fileURLToPath(new URL('../../api/cli/main.js', import.meta.url))

export interface CliEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export class CliProgram {
  readonly child: ReturnType<typeof spawnCli>
  readonly ended: Promise<CliEnd>
  #stdout = ''
  #stderr = ''

  constructor(...words: readonly string[]) {
    this.child = endWithUs(spawnCli(words))
    this.child.stdin.on('error', () => undefined)
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
    })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }))
  }

  /** Resolves once stderr says that it listens; rejects if it ends before. */
  async listening(): Promise<void> {
    while (!this.#stderr.includes('listening on ')) {
      const end = await Promise.race([once(this.child.stderr, 'data'), this.ended])
      if ('code' in end) throw new Error(`it has ended: ${JSON.stringify(end)}`)
    }
  }

  /** Resolves once stdout has this text. */
  async saying(text: string): Promise<void> {
    while (!this.#stdout.includes(text)) await once(this.child.stdout, 'data')
  }

  async kill(signal: NodeJS.Signals): Promise<CliEnd> {
    this.child.kill(signal)
    return this.ended
  }
}

function spawnCli(words: readonly string[]) {
  // Nothing of the test runner's: undefined means that the child does not have it.
  const env = { ...process.env, NODE_OPTIONS: undefined, FORCE_COLOR: undefined, NO_COLOR: undefined }
  return spawn(process.execPath, [mainPath, ...words], { env, stdio: 'pipe' })
}
