/** The example of draining: SIGTERM with requests in flight, and each of them is answered. */
import process from 'node:process'
import test from 'ava'
import { randomName } from '../helpers/temporary-folder.js'
import { startExample } from './example.js'

const WATCHDOG_MS = 60_000
const REQUESTS = 5
/** Longer than it takes from the last line that says that work has begun to the signal. */
const WORK_MS = 1_500

// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('graceful draining: what is in flight at SIGTERM is answered, who comes later is refused', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `local:${randomName()}`
  const server = startExample('graceful-draining/server.js', [endpoint, String(WORK_MS)])
  try {
    t.is(await server.next(), `listening on ${endpoint}`)
    const client = startExample('graceful-draining/client.js', [endpoint, String(REQUESTS)])
    try {
      const numbers = Array.from({ length: REQUESTS }, (_, i) => String(i + 1))
      const begun: string[] = []
      for (let i = 0; i < REQUESTS; i++) begun.push(await server.next())
      t.deepEqual(
        begun.sort(),
        numbers.map((number) => `begun ${number}`),
      )
      server.kill('SIGTERM')
      const said = await client.rest()
      t.deepEqual(
        said.slice(0, -1),
        numbers.map((number) => `done ${number}`),
      )
      t.regex(said.at(-1) ?? '', /^late: ERR_(NOT_FOUND|REFUSED|RESET)$/)
      t.is(await client.ended, 0)
    } finally {
      client.kill('SIGKILL')
      await client.ended
    }
    const [draining, ledger = ''] = await server.rest()
    t.is(draining, `draining, ${String(REQUESTS)} at work`)
    const [, opened, released] = /^opened (\d+), released (\d+), leaked 0$/.exec(ledger) ?? []
    t.is(opened, released)
    t.is(await server.ended, 0)
  } finally {
    server.kill('SIGKILL')
    await server.ended
  }
})
