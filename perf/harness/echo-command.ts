/** The child that sends everything back: `cat`, which adds as little as a program can, or Node where there is none. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export interface EchoCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

export const echoCommand: EchoCommand =
  process.platform === 'win32'
    ? {
        name: 'node',
        command: process.execPath,
        args: [fileURLToPath(new URL('../programs/echo.js', import.meta.url))],
      }
    : { name: 'cat', command: 'cat', args: [] }
