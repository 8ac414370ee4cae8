/** Programs of `examples/`, each a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { root, runToEnd, type Ended } from '../package/project.js'

/** `path`: in `examples/`. */
export function examplePath(path: string): string {
  return join(root, 'examples', path)
}

export function runExample(path: string, args: readonly string[], watchdogMs: number): Promise<Ended> {
  return runToEnd(process.execPath, [examplePath(path), ...args], root, watchdogMs)
}

/** One that is read line by line. */
export interface ExampleProgram {
  /** The next line of its stdout. Rejects if there is none. */
  next(): Promise<string>
  /** All lines from here on, once there are no more. */
  rest(): Promise<readonly string[]>
  kill(signal: NodeJS.Signals): void
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>
}

/** What it prints on stderr goes to the test's. */
export function startExample(path: string, args: readonly string[]): ExampleProgram {
  const child = spawn(process.execPath, [examplePath(path), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
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

export interface EndedServer {
  readonly end: number | string | null
  /** All that it said. */
  readonly lines: readonly string[]
}

/** Runs `body` while a server runs that has said its first line, and ends it by SIGTERM. */
export async function withServer(
  path: string,
  args: readonly string[],
  body: (firstLine: string) => Promise<void>,
): Promise<EndedServer> {
  const server = startExample(path, args)
  try {
    const first = await server.next()
    await body(first)
    server.kill('SIGTERM')
    const rest = await server.rest()
    return { end: await server.ended, lines: [first, ...rest] }
  } finally {
    server.kill('SIGKILL')
    await server.ended
  }
}
