/** The examples do what their pages say. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import test from 'ava'
import { randomName } from '../helpers/temporary-folder.js'
import { root, runToEnd } from './project.js'

const WATCHDOG_MS = 60_000
const SHARDS = 2
const REQUESTS = 12

// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('sharded handlers: each request is served in a shard, and the server ends by itself', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = join(root, 'examples', 'sharded-handlers')
  const endpoint = `local:${randomName()}`
  const server = spawn(process.execPath, [join(folder, 'server.js'), endpoint, String(SHARDS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const output = createInterface(server.stdout).on('line', (line) => lines.push(line))
  const ended = once(server, 'exit')
  const said = once(output, 'close')
  try {
    await once(output, 'line')
    t.deepEqual(lines, [`listening on ${endpoint}`])
    const args = [join(folder, 'client.js'), endpoint, '4', String(REQUESTS)]
    const { end, stdout, stderr } = await runToEnd(process.execPath, args, root, WATCHDOG_MS)
    t.deepEqual([end, stderr], [0, ''])
    t.regex(stdout, /^12 answers, \d+ a second\n(by shard \d: \d+\n)+$/)
    server.kill('SIGTERM')
    t.deepEqual(await ended, [0, null])
    await said
    const served = lines.flatMap((line) => /^shard \d has served (\d+)$/.exec(line)?.[1] ?? [])
    t.is(served.length, SHARDS)
    t.is(
      served.reduce((sum, count) => sum + Number(count), 0),
      REQUESTS,
    )
  } finally {
    server.kill('SIGKILL')
    await ended
  }
})
