/** The example of handlers in shards does what its page says. */
import process from 'node:process'
import test from 'ava'
import { randomName } from '../helpers/temporary-folder.js'
import { runExample, withServer } from './example.js'

const WATCHDOG_MS = 60_000
const SHARDS = 2
const REQUESTS = 12

// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('sharded handlers: each request is served in a shard, and the server ends by itself', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `local:${randomName()}`
  const server = await withServer('sharded-handlers/server.js', [endpoint, String(SHARDS)], async (first) => {
    t.is(first, `listening on ${endpoint}`)
    const args = [endpoint, '4', String(REQUESTS)]
    const { end, stdout, stderr } = await runExample('sharded-handlers/client.js', args, WATCHDOG_MS)
    t.deepEqual([end, stderr], [0, ''])
    t.regex(stdout, /^12 answers, \d+ a second\n(by shard \d: \d+\n)+$/)
  })
  t.is(server.end, 0)
  const served = server.lines.flatMap((line) => /^shard \d has served (\d+)$/.exec(line)?.[1] ?? [])
  t.is(served.length, SHARDS)
  t.is(
    served.reduce((sum, count) => sum + Number(count), 0),
    REQUESTS,
  )
})
