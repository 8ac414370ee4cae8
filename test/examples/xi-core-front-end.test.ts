/** The example of an editor's front-end: a child process that answers and notifies over lines. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import test from 'ava'
import { endWithUs } from '../helpers/with-us.js'
import { root } from '../package/project.js'

const WATCHDOG_MS = 60_000
const program = join(root, 'examples', 'xi-core-front-end', 'front-end.js')

// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('the front-end types into the core, shows its updates, and leaves nothing behind', async (t) => {
  t.timeout(WATCHDOG_MS)
  const child = endWithUs(spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] }))
  const lines: string[] = []
  const output = createInterface(child.stdout).on('line', (line) => lines.push(line))
  const ended = once(child, 'close')
  const said = async (line: string): Promise<void> => {
    while (!lines.includes(line)) await once(output, 'line')
  }
  await said('view-id-1: ""')
  child.stdin.write('hello\nworld!\n.undo\n')
  await said(String.raw`view-id-1: "hello\nworld"`)
  // Its stdin stays open: the signal alone ends it.
  child.kill('SIGTERM')
  t.deepEqual(await ended, [0, null])
  t.deepEqual(lines, [
    'available_themes',
    'view-id-1: ""',
    'view-id-1: "hello"',
    String.raw`view-id-1: "hello\n"`,
    String.raw`view-id-1: "hello\nworld!"`,
    String.raw`view-id-1: "hello\nworld"`,
    'the core has ended: OK, 0 leaked',
  ])
})
