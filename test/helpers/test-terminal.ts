/** Runs a command line in this process, with a terminal that keeps what is written. */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { runCommand } from '../../api/cli/run-command.js'
import type { Terminal } from '../../api/cli/terminal.js'

export class TestTerminal implements Terminal {
  readonly input = new PassThrough()
  readonly output = new PassThrough()
  readonly errors = new PassThrough()
  readonly isInteractive: boolean
  readonly showsProgress: boolean
  readonly hasColours: boolean
  readonly columns = 80
  #said = ''
  #complaint = ''

  constructor({ isPerson = false }: { readonly isPerson?: boolean } = {}) {
    this.isInteractive = isPerson
    this.showsProgress = isPerson
    this.hasColours = isPerson
    this.output.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text
    })
    this.errors.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text
    })
  }

  /** What is on stdout so far. */
  get said(): string {
    return this.#said
  }

  /** What is on stderr so far. */
  get complaint(): string {
    return this.#complaint
  }
}

export const VERSION = '1.2.3'

export interface CommandRun {
  readonly terminal: TestTerminal
  /** The exit code, but for signals. */
  readonly code: Promise<number>
  /** As SIGINT does. */
  stop(): void
}

/** `words`: what stands behind `symphony-transport`. */
export function start(words: readonly string[], terminal = new TestTerminal()): CommandRun {
  const controller = new AbortController()
  const code = runCommand(words, terminal, controller.signal, VERSION)
  return { terminal, code, stop: () => controller.abort() }
}

/** One that ends by itself; `input` is all of its stdin. */
export async function run(words: readonly string[], input = ''): Promise<readonly [number, string, string]> {
  const { terminal, code } = start(words)
  terminal.input.end(input)
  return [await code, terminal.said, terminal.complaint]
}

/** Runs the body while a command listens, which has to end well. */
export async function whileListening(
  words: readonly string[],
  body: (run: CommandRun) => Promise<void>,
): Promise<void> {
  const listening = start(words)
  const { terminal, code } = listening
  const failed = code.then((value) => {
    throw new Error(`${words.join(' ')} has ended with ${String(value)}: ${terminal.complaint}`)
  })
  const until = (async () => {
    while (!terminal.complaint.includes('listening on ')) await once(terminal.errors, 'data')
  })()
  await Promise.race([until, failed])
  try {
    await body(listening)
  } finally {
    listening.stop()
    // Its message is what the assertion shows.
    await failed.catch(() => undefined)
  }
  const value = await code
  if (value !== 0) throw new Error(`${words.join(' ')} has ended with ${String(value)}: ${terminal.complaint}`)
}
