/** Making a transport opens nothing: no file is looked at, no socket and no process is made. */
import childProcess from 'node:child_process'
import fs, { existsSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { createEngine, type Endpoint } from '../../api/index.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 30_000

type Functions = Record<string, unknown>

/** Runs something while all that could do I/O is counted. */
function countCalls(step: () => void): readonly string[] {
  const calls: string[] = []
  const restore: (() => void)[] = []
  const modules = { fs, 'fs.promises': fs.promises, net, child_process: childProcess } as unknown as Record<
    string,
    Functions
  >
  for (const [module, functions] of Object.entries(modules)) {
    for (const [name, original] of Object.entries(functions)) {
      // Classes are counted by what makes them.
      if (typeof original !== 'function' || /^[A-Z_]/.test(name)) continue
      functions[name] = (...args: unknown[]): unknown => {
        calls.push(`${module}.${name}`)
        return Reflect.apply(original, functions, args) as unknown
      }
      restore.push(() => {
        functions[name] = original
      })
    }
  }
  syncBuiltinESMExports()
  try {
    step()
  } finally {
    for (const undo of restore) undo()
    syncBuiltinESMExports()
  }
  return calls
}

test('transport() does no I/O, whatever the endpoint', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  try {
    const name = randomName()
    const endpoints: Endpoint[] = [
      `local:${name}`,
      { kind: 'local', name },
      `memory:${name}`,
      { kind: 'stdio', command: join(folder.path, 'program'), cwd: folder.path },
    ]
    if (process.platform === 'win32') endpoints.push(`pipe:${name}`)
    else endpoints.push(`unix:${join(folder.path, 'there', 'is', 'none')}`, 'stdio:')
    if (process.platform === 'linux') endpoints.push(`unix:@${name}`)
    for (const endpoint of endpoints) {
      t.deepEqual(
        countCalls(() => void engine.transport(endpoint)),
        [],
        JSON.stringify(endpoint),
      )
    }
  } finally {
    await engine.close()
    await folder.remove()
  }
})

test('the counter sees functions that were imported by name before', (t) => {
  t.deepEqual(
    countCalls(() => void existsSync('.')),
    ['fs.existsSync'],
  )
})
