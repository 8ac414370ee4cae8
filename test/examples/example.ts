/** Programs of `examples/`, each a process of its own. */
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 60_000

// Windows has no signal by which a program ends by itself.
export const onPosix = process.platform === 'win32' ? test.skip : test.serial

/** Runs one to its end, which has to be a clean one. Returns the lines of its output. */
export async function runExample(
  t: ExecutionContext,
  path: string,
  ...args: readonly string[]
): Promise<readonly string[]> {
  t.timeout(WATCHDOG_MS)
  const command = [join(root, 'examples', path), ...args]
  const { end, stdout, stderr } = await runToEnd(process.execPath, command, root, WATCHDOG_MS)
  t.deepEqual([end, stderr], [0, ''])
  return stdout.trimEnd().split('\n')
}

/** Runs one beside `body`, and ends it by SIGTERM; its end has to be a clean one. Returns the lines of its output. */
export async function withExample(
  t: ExecutionContext,
  path: string,
  args: readonly string[],
  body: (program: ChildProgram) => Promise<void>,
): Promise<readonly string[]> {
  t.timeout(WATCHDOG_MS)
  const program = ChildProgram.startFile(join(root, 'examples', path), args)
  try {
    await body(program)
    program.kill('SIGTERM')
    const { code, signal, lines, stderr } = await program.exit
    t.deepEqual([code, signal, stderr], [0, null, ''])
    return lines
  } finally {
    program.kill('SIGKILL')
    await program.exit
  }
}

/** As `withExample()`, for one that says first where it listens. */
export async function withServer(
  t: ExecutionContext,
  path: string,
  args: readonly string[],
  body: (server: ChildProgram) => Promise<void>,
): Promise<readonly string[]> {
  const lines = await withExample(t, path, args, async (server) => {
    await server.line(`listening on ${args[0] ?? ''}`)
    await body(server)
  })
  return lines.slice(1)
}
