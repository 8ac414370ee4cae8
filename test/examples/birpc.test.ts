/** examples/birpc as two processes. */
import { randomName } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withServer } from './example.js'

onPosix('functions of two processes call each other', async (t) => {
  const endpoint = `local:${randomName()}`
  await withServer(t, 'birpc/server.js', [endpoint], async () => {
    const [sum, one, two, three, done, divided, after] = await runExample(t, 'birpc/client.js', endpoint)
    t.deepEqual([sum, done], ['1 + 2 = 3', 'done'])
    t.deepEqual(
      [one, two, three],
      [1, 2, 3].map((number) => `the server has counted to ${String(number)}`),
    )
    t.is(divided, 'RangeError: nothing can be divided by zero')
    t.regex(after ?? '', /^after the end: .*closed/)
  })
})
