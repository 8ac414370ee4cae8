/** The example of handlers in shards does what its page says. */
import { randomName } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withServer } from './example.js'

const SHARDS = 2
const REQUESTS = 12

onPosix('sharded handlers: each request is served in a shard, and the server ends by itself', async (t) => {
  const endpoint = `local:${randomName()}`
  const lines = await withServer(t, 'sharded-handlers/server.js', [endpoint, String(SHARDS)], async () => {
    const answers = await runExample(t, 'sharded-handlers/client.js', endpoint, '4', String(REQUESTS))
    t.regex(answers.join('\n'), /^12 answers, \d+ a second(\nby shard \d: \d+)+$/)
  })
  const served = lines.flatMap((line) => /^shard \d has served (\d+)$/.exec(line)?.[1] ?? [])
  t.is(served.length, SHARDS)
  t.is(
    served.reduce((sum, count) => sum + Number(count), 0),
    REQUESTS,
  )
})
