/** examples/birpc as two processes. */
import process from 'node:process'
import test from 'ava'
import { randomName } from '../helpers/temporary-folder.js'
import { runExample, withServer } from './example.js'

const WATCHDOG_MS = 60_000

const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('functions of two processes call each other', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `local:${randomName()}`
  const { end: exit } = await withServer('birpc/server.js', [endpoint], async () => {
    const { end, stdout, stderr } = await runExample('birpc/client.js', [endpoint], WATCHDOG_MS)
    t.deepEqual([end, stderr], [0, ''])
    const [sum, one, two, three, done, divided, after] = stdout.split('\n')
    t.deepEqual([sum, done], ['1 + 2 = 3', 'done'])
    t.deepEqual(
      [one, two, three],
      [1, 2, 3].map((number) => `the server has counted to ${String(number)}`),
    )
    t.is(divided, 'RangeError: nothing can be divided by zero')
    t.regex(after ?? '', /^after the end: .*closed/)
  })
  t.is(exit, 0)
})
