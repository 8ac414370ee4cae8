/** examples/cluster does what its page says: a worker that dies is replaced, and clients go to another meanwhile. */
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { randomName } from '../helpers/temporary-folder.js'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 60_000
const onPosix = process.platform === 'win32' ? test.skip : test
const example = join(root, 'examples', 'cluster')

onPosix('cluster: each worker has its endpoint, which the one that replaces it gets too', async (t) => {
  t.timeout(WATCHDOG_MS)
  const name = randomName()
  const server = ChildProgram.startFile(join(example, 'server.js'), [name, '2'])
  /** The worker and the process of each answer. */
  const ask = async (): Promise<readonly (readonly string[])[]> => {
    const args = [join(example, 'client.js'), name, '2', '2']
    const { end, stdout, stderr } = await runToEnd(process.execPath, args, root, WATCHDOG_MS)
    t.deepEqual([end, stderr], [0, ''])
    return [...stdout.matchAll(/^worker (\d), process (\d+): request \d$/gm)].map(([, ...parts]) => parts)
  }
  try {
    const listening = [await server.next(), await server.next()].sort()
    t.deepEqual(listening, [`listening on local:${name}-1`, `listening on local:${name}-2`])
    const [one = [], two = []] = await ask()
    t.deepEqual([one[0], two[0]], ['1', '2'])
    process.kill(Number(one[1]), 'SIGKILL')
    const asking = ask()
    await server.line(`listening on local:${name}-1`)
    // By the other worker, unless the new one was quicker.
    t.is((await asking).length, 2)
    const [again = [], same] = await ask()
    t.is(again[0], '1')
    t.not(again[1], one[1])
    t.deepEqual(same, two)
    server.kill('SIGTERM')
    const { code, stderr } = await server.exit
    t.deepEqual([code, stderr], [0, ''])
  } finally {
    server.kill('SIGKILL')
  }
})
