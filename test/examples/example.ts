/** Programs of `examples/`, each a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { root, runToEnd, type Ended } from '../package/project.js'

export function examplePath(name: string): string {
  return join(root, 'examples', name)
}

export function runExample(name: string, args: readonly string[], watchdogMs: number): Promise<Ended> {
  return runToEnd(process.execPath, [examplePath(name), ...args], root, watchdogMs)
}

/** Runs `body` while a server runs that has said its first line, and ends it by SIGTERM: all that it said. */
export async function withServer(
  name: string,
  args: readonly string[],
  body: (firstLine: string) => Promise<void>,
): Promise<{ readonly exit: readonly unknown[]; readonly lines: readonly string[] }> {
  const server = spawn(process.execPath, [examplePath(name), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const output = createInterface(server.stdout).on('line', (line) => lines.push(line))
  const ended = once(server, 'exit')
  const said = once(output, 'close')
  try {
    await Promise.race([once(output, 'line'), said])
    await body(lines[0] ?? '')
    server.kill('SIGTERM')
    const exit = await ended
    await said
    return { exit, lines }
  } finally {
    server.kill('SIGKILL')
    await ended
  }
}
