/** nats-server is killed and started again under traffic: every frame arrives, and each once. */
import { bridgedPair } from '../helpers/bridged-pair.js'
import { byLength } from '../helpers/length.js'
import { natsTest } from '../helpers/nats-server.js'
import { numberedTraffic } from '../helpers/numbered-traffic.js'

const needs = { watchdogMs: 170_000 }
const RESTARTS = byLength({ short: 5, long: 100 })
const CONNECTIONS = 3
/** So much is on its way when the server is killed; more would only take time. */
const OWN = {
  listening: { windowBytes: 262_144, windowFrames: 1_024 },
  transport: { maxFrameBytes: 65_536, maxPendingBytes: 262_144 },
}

natsTest(
  `over ${String(RESTARTS)} restarts of nats-server no frame is lost, and none is repeated`,
  needs,
  async (t, server) => {
    const pair = await bridgedPair(server, OWN)
    try {
      const traffics = []
      for (let i = 0; i < CONNECTIONS; i++) {
        const client = await pair.connect()
        const served = await pair.accept()
        const padding = [0, 100, 20_000][i] ?? 0
        traffics.push(numberedTraffic(client, served, padding), numberedTraffic(served, client, padding))
      }
      for (let i = 0; i < RESTARTS; i++) {
        await Promise.all(traffics.map((traffic) => traffic.more(1 + (i % 7))))
        await server.kill()
        await server.start()
      }
      const counts = await Promise.all(traffics.map((traffic) => traffic.finish()))
      for (const { sent, received } of counts) t.is(sent, received)
      const { reconnects, packets } = pair.listening.stats()
      t.true(reconnects >= RESTARTS)
      t.log(
        `${String(reconnects)} reconnects, ${String(packets.resent)} packets sent again, ${String(packets.duplicates)} came twice`,
      )
      const sum = (counted: readonly { readonly sent: number }[]): number =>
        counted.reduce((all, { sent }) => all + sent, 0)
      t.log(`${String(sum(counts))} frames, 0 lost, 0 repeated`)
    } finally {
      await pair.close()
    }
  },
)
