/** The example of draining: SIGTERM with requests in flight, and each of them is answered. */
import { randomName } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withServer } from './example.js'

const REQUESTS = 5
/** Longer than it takes from the last line that says that work has begun to the signal. */
const WORK_MS = 1_500

onPosix('graceful draining: what is in flight at SIGTERM is answered, who comes later is refused', async (t) => {
  const endpoint = `local:${randomName()}`
  const numbers = Array.from({ length: REQUESTS }, (_, i) => String(i + 1))
  const args = [endpoint, String(WORK_MS)]
  const lines = await withServer(t, 'graceful-draining/server.js', args, async (server) => {
    const asking = runExample(t, 'graceful-draining/client.js', endpoint, String(REQUESTS))
    const begun: string[] = []
    for (let i = 0; i < REQUESTS; i++) begun.push(await server.next())
    t.deepEqual(
      begun.sort(),
      numbers.map((number) => `begun ${number}`),
    )
    server.kill('SIGTERM')
    const said = await asking
    t.deepEqual(
      said.slice(0, -1),
      numbers.map((number) => `done ${number}`),
    )
    t.regex(said.at(-1) ?? '', /^late: ERR_(NOT_FOUND|REFUSED|RESET)$/)
    // One more signal would cut it short.
    await server.exit
  })
  const [draining, ledger = ''] = lines.slice(REQUESTS)
  t.is(draining, `draining, ${String(REQUESTS)} at work`)
  const [, opened, released] = /^opened (\d+), released (\d+), leaked 0$/.exec(ledger) ?? []
  t.is(opened, released)
})
