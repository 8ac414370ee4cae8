/** The example of metrics: what Prometheus reads is what the client did, and what fails is logged. */
import process from 'node:process'
import test from 'ava'
import { PromText } from '../helpers/prom-text.js'
import { randomName } from '../helpers/temporary-folder.js'
import { root, runToEnd } from '../package/project.js'
import { startExample } from './example.js'

const WATCHDOG_MS = 60_000

// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('metrics: the server exposes what its engine does, logs what fails, and ends by itself', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `local:${randomName()}`
  const server = startExample('metrics/server.js', [endpoint, '0'])
  const log = async (): Promise<Readonly<Record<string, unknown>>> =>
    JSON.parse(await server.next()) as Readonly<Record<string, unknown>>
  try {
    t.like(await log(), { msg: 'listening', endpoint })
    const { metrics: url } = await log()
    const runClient = (...frames: readonly string[]): ReturnType<typeof runToEnd> =>
      runToEnd(process.execPath, ['examples/metrics/client.js', endpoint, ...frames], root, WATCHDOG_MS)
    t.deepEqual(await runClient('one', 'two', 'three'), { end: 0, stdout: 'one\ntwo\nthree\n', stderr: '' })
    const failing = await runClient('fail')
    t.is(failing.end, 0)
    t.like(await log(), { level: 50, msg: 'a function has failed', where: 'subscriber', endpoint })
    t.like(await log(), { level: 40, msg: 'connection failed', code: 'ERR_HANDLER', endpoint })
    const text = new PromText(await (await fetch(String(url))).text())
    const of = { engine: 'example' }
    t.is(text.sum('symphony_transport_frames_received_total', of), 4)
    t.is(text.sum('symphony_transport_frames_sent_total', of), 3)
    t.is(text.sum('symphony_transport_connections_closed_total', { ...of, code: 'ERR_HANDLER' }), 1)
    t.is(text.sum('symphony_transport_listeners', of), 1)
    server.kill('SIGTERM')
    const last = (await server.rest()).map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    t.like(last.at(-1), { msg: 'closed', leaked: 0 })
    t.is(await server.ended, 0)
  } finally {
    server.kill('SIGKILL')
    await server.ended
  }
})
