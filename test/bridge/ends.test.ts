/** How bridges end that are not closed: with what they listen with, with a connection of the host, or refused. */
import { jetstreamManager, type JetStreamClient } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { createEngine, type TransportError } from '../../api/index.js'
import {
  dialOverNats,
  listenOverNats,
  publishToNats,
  subscribeToNats,
  type CommonBridgeOptions,
} from '../../api/bridge-nats/index.js'
import { StreamPublisher } from '../../api/bridge-nats/message-publishers.js'
import { NatsLink } from '../../api/bridge-nats/nats-link.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { messageBridges, natsOptions, numbers, storingStream, texts } from '../helpers/message-bridges.js'
import { natsTest } from '../helpers/nats-server.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const needs = { watchdogMs: 60_000 }
const storing = { ...needs, flags: ['--js'] }
const SUBJECT = 'test.ends'

async function stage() {
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  return {
    transport: () => engine.transport(folder.endpoint(), { allowHalfOpen: true }),
    closeEngine: () => engine.close({ graceMs: 0 }),
    async close() {
      await engine.close({ graceMs: 0 })
      await folder.remove()
    },
  }
}

/** One of each kind. */
async function allBridges(nats: CommonBridgeOptions['nats'], { transport }: Awaited<ReturnType<typeof stage>>) {
  const common = () => ({ nats, transport: transport(), subject: SUBJECT })
  const listening = [
    await listenOverNats(common()),
    await publishToNats(common()),
    await publishToNats({ ...common(), jetstream: true }),
    await subscribeToNats(common()),
    await subscribeToNats({ ...common(), durable: 'reader' }),
  ]
  return { listening, all: [...listening, await dialOverNats(common())] }
}

natsTest('a bridge that listens ends with its engine', storing, async (t, server) => {
  const at = await stage()
  await storingStream(server, SUBJECT)
  const { listening, all } = await allBridges(natsOptions(server), at)
  try {
    await at.closeEngine()
    for (const bridge of listening) t.is((await bridge.closed).code, 'ERR_CLOSED')
  } finally {
    await Promise.all(all.map((bridge) => bridge.close({ graceMs: 0 })))
    await at.close()
  }
})

natsTest('bridges end with a connection that the host drains, or closes', storing, async (t, server) => {
  await storingStream(server, SUBJECT)
  for (const how of ['drain', 'close'] as const) {
    const at = await stage()
    const nats = await connect(natsOptions(server))
    try {
      const { all } = await allBridges(nats, at)
      await nats[how]()
      for (const bridge of all) t.is((await bridge.closed).code, 'ERR_CLOSED')
    } finally {
      await at.close()
    }
  }
})

natsTest(
  'bridges close while there is no server, and none that is asked for waits for ever',
  storing,
  async (t, server) => {
    const at = await stage()
    await storingStream(server, SUBJECT)
    const { all } = await allBridges(natsOptions(server), at)
    const nats = await connect(natsOptions(server))
    try {
      await server.kill()
      while (all.some((bridge) => bridge.stats().nats === 'up')) await new Promise(setImmediate)
      const asked = listenOverNats({ nats, transport: at.transport(), subject: SUBJECT })
      await nats.close()
      t.regex((await t.throwsAsync<TransportError>(asked)).code, /^ERR_(?:CLOSED|IO)$/)
      for (const bridge of all) t.deepEqual(await bridge.close({ graceMs: 0 }), { code: 'OK' })
    } finally {
      await at.close()
    }
  },
)

natsTest(
  'a bridge that the server refuses once it is back ends with ERR_ACCESS, and shows no secret',
  { ...needs, flags: ['--user', 'me', '--pass', 'secret'] },
  async (t, server) => {
    const at = await stage()
    const nats = { ...natsOptions(server), user: 'me', pass: 'secret' }
    const bridge = await listenOverNats({ nats, transport: at.transport(), subject: SUBJECT })
    try {
      await server.kill()
      await server.start('--pass', 'another')
      const { code, cause } = await bridge.closed
      t.is(code, 'ERR_ACCESS')
      t.notRegex(String(cause?.message), /secret|maxReconnectAttempts/)
    } finally {
      await bridge.close({ graceMs: 0 })
      await at.close()
    }
  },
)

natsTest(
  'a message that was published is not published again after outageMs, when the stream may have forgotten it',
  needs,
  async (t, server) => {
    const link = new NatsLink(await connect({ ...natsOptions(server), maxReconnectAttempts: -1 }))
    const clock = new ManualClock(() => true)
    const tries: unknown[] = []
    // The stream never answers.
    const client = { publish: (...args: unknown[]) => (tries.push(args), new Promise(() => undefined)) }
    const publisher = new StreamPublisher(link, client as unknown as JetStreamClient, SUBJECT, 1_000, clock)
    try {
      const published = publisher.publish(Buffer.from('once'), 'id', new AbortController().signal)
      while (tries.length === 0) await new Promise(setImmediate)
      await server.kill()
      while (link.isUp) await new Promise(setImmediate)
      clock.advance(1_001)
      await server.start()
      await t.throwsAsync(published, { code: 'ERR_TIMEOUT', message: /outageMs/ })
      t.is(tries.length, 1)
    } finally {
      await link.connection.close()
    }
  },
)

natsTest('a stream that is made anew is read from its first message', storing, async (t, server) => {
  const bridges = await messageBridges(server, true, {
    publishing: { jetstream: true },
    subscribing: { durable: 'reader' },
  })
  const nats = await connect(natsOptions(server))
  try {
    const [subscriber, publisher] = [await bridges.subscriber(), await bridges.publisher()]
    for (const text of numbers(3)) publisher.send(text)
    t.deepEqual(await texts(subscriber, 3), numbers(3))
    const manager = await jetstreamManager(nats)
    const stream = await manager.streams.find(bridges.subject)
    const { config } = await manager.consumers.info(stream, 'reader')
    await manager.streams.delete(stream)
    await storingStream(server, bridges.subject)
    await manager.consumers.add(stream, config)
    // What the bridge has asked the consumer that was deleted is not answered: it asks the new one now.
    await server.kill()
    await server.start()
    for (const text of numbers(3, 3)) publisher.send(text)
    t.deepEqual(await texts(subscriber, 3), numbers(3, 3))
  } finally {
    await nats.close()
    await bridges.close()
  }
})
