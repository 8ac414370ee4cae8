/** A program of an example in a process of its own, read line by line. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { root } from '../package/project.js'

export interface ExampleProgram {
  /** The next line of its stdout. Rejects if there is none. */
  next(): Promise<string>
  /** All lines from here on, once there are no more. */
  rest(): Promise<readonly string[]>
  kill(signal: NodeJS.Signals): void
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>
}

/** `path`: in `examples/`. What it prints on stderr goes to the test's. */
export function startExample(path: string, args: readonly string[]): ExampleProgram {
  const child = spawn(process.execPath, [join(root, 'examples', path), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    async next() {
      const line = await lines.next()
      if (line.done === true) throw new Error(`${path} has ended, and said nothing more`)
      return line.value
    },
    async rest() {
      const rest: string[] = []
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) rest.push(line.value)
      return rest
    },
    kill: (signal) => void child.kill(signal),
    ended: once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string | null),
  }
}
