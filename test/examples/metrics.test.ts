/** The example of metrics: what Prometheus reads is what the client did, and what fails is logged. */
import { PromText } from '../helpers/prom-text.js'
import { randomName } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withExample } from './example.js'

onPosix('metrics: the server exposes what its engine does, logs what fails, and ends by itself', async (t) => {
  const endpoint = `local:${randomName()}`
  const lines = await withExample(t, 'metrics/server.js', [endpoint, '0'], async (server) => {
    const log = async (): Promise<Readonly<Record<string, unknown>>> => fieldsOf(await server.next())
    t.like(await log(), { msg: 'listening', endpoint })
    const { metrics: url } = await log()
    const runClient = (...frames: readonly string[]): ReturnType<typeof runExample> =>
      runExample(t, 'metrics/client.js', endpoint, ...frames)
    t.deepEqual(await runClient('one', 'two', 'three'), ['one', 'two', 'three'])
    await runClient('fail')
    t.like(await log(), { level: 50, msg: 'a function has failed', where: 'subscriber', endpoint })
    t.like(await log(), { level: 40, msg: 'connection failed', code: 'ERR_HANDLER', endpoint })
    const text = new PromText(await (await fetch(String(url))).text())
    const of = { engine: 'example' }
    t.is(text.sum('symphony_transport_frames_received_total', of), 4)
    t.is(text.sum('symphony_transport_frames_sent_total', of), 3)
    t.is(text.sum('symphony_transport_connections_closed_total', { ...of, code: 'ERR_HANDLER' }), 1)
    t.is(text.sum('symphony_transport_listeners', of), 1)
  })
  t.like(fieldsOf(lines.at(-1) ?? ''), { msg: 'closed', leaked: 0 })
})

function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  return JSON.parse(line) as Readonly<Record<string, unknown>>
}
