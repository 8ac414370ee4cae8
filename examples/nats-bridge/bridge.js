// One side of the bridge: `listen ENDPOINT SERVER` where the clients are, `dial ENDPOINT SERVER` where the server is.
import process from 'node:process'
import { createEngine } from 'symphony-transport'
import { dialOverNats, listenOverNats } from 'symphony-transport/bridge-nats'

const [, , role, endpoint = 'local:near', servers = 'nats://127.0.0.1:4222'] = process.argv
const engine = await createEngine()
const options = {
  nats: { servers },
  transport: engine.transport(endpoint, { framing: 'line', allowHalfOpen: true }),
  subject: 'example.squares',
  onLoss: ({ code, unconfirmed, unsent }) => console.log(`lost a connection: ${code}, ${unconfirmed}, ${unsent}`),
}
const bridge = await (role === 'dial' ? dialOverNats(options) : listenOverNats(options))
console.log(`${role} ${bridge.endpoint}`)

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end())

async function end() {
  await bridge.close({ graceMs: 5_000 })
  const { frames, packets } = bridge.stats()
  console.log(
    `${frames.handedOver} frames handed over, ${frames.delivered} delivered, ${packets.resent} packets sent again`,
  )
  await engine.close()
}
