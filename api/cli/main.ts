#!/usr/bin/env node
/** `npx symphony-transport COMMAND`. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { exitCodes } from './command.js'
import { PROGRAM } from './help.js'
import { runCommand } from './run-command.js'
import { processTerminal } from './terminal.js'

const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const

const stop = new AbortController()
let stoppedBy: number | undefined
for (const [name, code] of Object.entries(SIGNAL_CODES)) {
  // Once: the second ends the process at once.
  process.once(name, () => {
    stoppedBy = code
    stop.abort()
  })
}
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read it has read enough (`… | head`): no failure, and no more to do.
    if (error.code !== 'EPIPE' && output === process.stdout && !stop.signal.aborted) {
      process.stderr.write(`${PROGRAM}: the output cannot be written: ${error.message}\n`)
      // The command may be over, or not.
      stoppedBy = exitCodes.failed
      process.exitCode = exitCodes.failed
    }
    stop.abort()
  })
}
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string
}
const code = await runCommand(process.argv.slice(2), processTerminal(), stop.signal, version)
process.exitCode = code === exitCodes.ok ? (stoppedBy ?? code) : code
// A terminal or pipe that a command has read from would keep the process alive.
process.stdin.destroy()
if (stop.signal.aborted) {
  // So would what a library goes on with that cannot be stopped, such as connecting to a server that does not answer.
  const flushed = (output: NodeJS.WriteStream): Promise<void> =>
    new Promise((resolve) => void output.write('', () => resolve()))
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  process.exit()
}
