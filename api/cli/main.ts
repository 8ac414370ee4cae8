#!/usr/bin/env node
/** `npx symphony-transport COMMAND`. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { runCommand } from './run-command.js'
import { processTerminal } from './terminal.js'

const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const

const stop = new AbortController()
let ended: number | undefined
for (const [name, code] of Object.entries(SIGNAL_CODES)) {
  process.once(name, () => {
    ended = code
    stop.abort()
  })
}
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string
}
const code = await runCommand(process.argv.slice(2), processTerminal(), stop.signal, version)
process.exitCode = ended ?? code
