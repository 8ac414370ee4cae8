/** Other runtimes than Node, as docs/runtimes.md has them: what works there, and how the rest is refused. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { createEngine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { toolsFolder, withTool } from '../helpers/tools-folder.js'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 120_000
const program = fileURLToPath(new URL('../fixtures/foreign-runtime.js', import.meta.url))
const deno = join('deno', 'bin.cjs')
const binary = join('@oven', `bun-${process.platform}-${process.arch}`, 'bin', 'bun')
// The install script of the package, where it has run, takes the binary over.
const bun = existsSync(join(toolsFolder, binary)) ? binary : join('bun', 'bin', 'bun.exe')

async function runIn(t: ExecutionContext, command: string, args: readonly string[]): Promise<readonly string[]> {
  const { end, stdout, stderr } = await runToEnd(command, args, root, WATCHDOG_MS)
  t.is(end, 0, stderr)
  return stdout.trimEnd().split('\n')
}

/** Tasks of the program, with the path of a socket and of one for shared memory on which Node answers. */
async function inDeno(
  t: ExecutionContext,
  flags: readonly string[],
  tasks: (path: string, shared: string) => readonly (readonly [task: string, answer: RegExp])[],
): Promise<void> {
  t.timeout(2 * WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const [path, shared] = [folder.socketPath(), folder.socketPath()]
  const engine = await createEngine({ shards: 1 })
  try {
    for (const endpoint of [`unix:${path}`, `shm:${shared}`]) {
      await engine.transport(endpoint).listen((connection) => {
        connection.subscribe((frame) => connection.send(frame))
      })
    }
    const listed = tasks(path, shared)
    const args = [join(toolsFolder, deno), 'run', '--no-prompt', ...flags, program, ...listed.map(([task]) => task)]
    const lines = await runIn(t, process.execPath, args)
    t.is(lines.length, listed.length + 1, lines.join('\n'))
    for (const [i, [task, answer]] of listed.entries()) t.regex(lines[i] ?? '', answer, task)
    t.is(lines.at(-1), 'leaked 0')
  } finally {
    await engine.close()
    await folder.remove()
  }
}

withTool(deno, 'Deno connects and listens, and says at once what it cannot do', (t) =>
  inDeno(t, ['--allow-all'], (path, shared) => [
    [`ask unix:${path}`, /^300000 bytes through the socket$/],
    [`ask shm:${shared}`, /^300000 bytes through socket$/],
    [`pool unix:${path}`, /^a b c d$/],
    [`reconnecting unix:${path}`, /^back$/],
    ['child /bin/cat', /^line$/],
    ['loop memory:x', /^looped$/],
    [`echo unix:${path}.other`, /^the same, ERR_ADDRESS_IN_USE$/],
    [`echo shm:${path}.other`, /^the same, ERR_ADDRESS_IN_USE$/],
    [`echo unix:@${path}`, /^the same, ERR_ADDRESS_IN_USE$/],
    [`echo unix:${path}`, /^ERR_ADDRESS_IN_USE /],
    [`hold unix:${path}.other`, /^full, all came$/],
    [`lose unix:${path}.other`, /^gone, welcome back, leaked 0$/],
    ['loop fd:3', /^ERR_UNSUPPORTED_RUNTIME listening on fd:3: .* Listen on a path, or run this program with Node\.$/],
    ['serve memory:x', /^ERR_UNSUPPORTED_RUNTIME memory:x: Deno runs no handler modules\./],
  ]),
)

withTool(deno, 'what Deno denies is ERR_ACCESS, and what is documented is enough', async (t) => {
  const some = ['--allow-read', '--allow-env']
  await inDeno(t, some, (path) => [
    [`ask unix:${path}`, /^ERR_ACCESS .*run again with the --allow-write flag/],
    [`echo unix:${path}.other`, /^ERR_ACCESS listening on unix:.* run again with the --allow-sys flag/],
    [`pool unix:${path}`, /^ERR_ACCESS .*run again with the --allow-write flag/],
    [`reconnecting unix:${path}`, /^ERR_CLOSED|^ERR_ACCESS/],
    ['child /bin/cat', /^ERR_ACCESS /],
  ])
  const all = [...some, '--allow-write', '--allow-net']
  await inDeno(t, all, (path) => [[`ask unix:${path}`, /^300000 bytes/]])
  await inDeno(t, [...all, '--allow-sys', '--allow-run=/bin/cat,/bin/sh'], () => [['child /bin/cat', /^line$/]])
})

withTool(deno, 'Node connects to Deno', async (t) => {
  t.timeout(2 * WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = `unix:${join(folder.path, 'deno.sock')}`
  const engine = await createEngine({ shards: 1 })
  const flags = ['--no-prompt', '--allow-read', '--allow-env', '--allow-write', '--allow-net', '--allow-sys']
  const host = ChildProgram.startFile(join(toolsFolder, deno), ['run', ...flags, program, `host ${endpoint}`])
  try {
    await host.line('listening with mode 600')
    const connection = await engine.transport(endpoint).connect()
    const megabyte = Buffer.alloc(1 << 20, 'symphony')
    connection.send(megabyte)
    t.true((await connection.receive())?.equals(megabyte))
    await connection.close()
    // No file is left in the folder.
    await host.line('')
    await host.line('leaked 0')
    t.is((await host.exit).code, 0)
  } finally {
    host.kill('SIGTERM')
    await engine.close()
    await folder.remove()
  }
})

withTool(bun, 'Bun is told to use Node, also in a compiled program', async (t) => {
  t.timeout(2 * WATCHDOG_MS)
  const refusal = /^ERR_UNSUPPORTED_RUNTIME no engine works in Bun \d.*Run this program with Node/
  const folder = await makeTemporaryFolder()
  const compiled = join(folder.path, 'compiled')
  try {
    const [line = ''] = await runIn(t, join(toolsFolder, bun), [program])
    t.regex(line, refusal)
    await runIn(t, join(toolsFolder, bun), ['build', program, '--compile', '--outfile', compiled])
    const [other = ''] = await runIn(t, compiled, [])
    t.regex(other, refusal)
  } finally {
    await folder.remove()
  }
})
