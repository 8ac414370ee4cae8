/** Frames that become messages and messages that become frames, over a real server, with and without JetStream. */
import type { PublishReport } from '../../api/bridge-nats/index.js'
import { byLength } from '../helpers/length.js'
import { messageBridges, numbers, texts } from '../helpers/message-bridges.js'
import { natsTest } from '../helpers/nats-server.js'

const WATCHDOG_MS = 120_000
const RESTARTS = byLength({ short: 3, long: 20 })
const plain = { watchdogMs: WATCHDOG_MS }
const storing = { ...plain, flags: ['--js'] }

natsTest(
  'frames of a connection go to all who are connected, in order, and the server confirms them',
  plain,
  async (t, server) => {
    const bridges = await messageBridges(server, false)
    try {
      const subscribers = [await bridges.subscriber(), await bridges.subscriber()]
      const publisher = await bridges.publisher()
      for (const text of numbers(300)) publisher.send(text)
      for (const subscriber of subscribers) t.deepEqual(await texts(subscriber, 300), numbers(300))
      await publisher.end()
      t.is(await publisher.receive(), undefined)
      t.is(bridges.publishing.stats().frames.handedOver, 300)
      t.like(bridges.subscribing.stats().messages, { received: 300, delivered: 300, dropped: 0 })
    } finally {
      await bridges.close()
    }
  },
)

natsTest(
  'a frame that is too large for the server ends its connection, and is reported as unsent',
  plain,
  async (t, server) => {
    let report: PublishReport | undefined
    const bridges = await messageBridges(server, false, { publishing: { onLoss: (loss) => (report = loss) } })
    try {
      const publisher = await bridges.publisher()
      publisher.send('small')
      publisher.send(Buffer.alloc(1_048_577))
      t.is(await publisher.receive().catch(() => undefined), undefined)
      await publisher.close()
      t.like(report, { code: 'ERR_FRAME_TOO_LARGE', handedOver: 1, unconfirmed: 0, unsent: 1 })
    } finally {
      await bridges.close()
    }
  },
)

natsTest(
  `over ${String(RESTARTS)} restarts a stream keeps what nobody has taken: none lost, none repeated`,
  storing,
  async (t, server) => {
    const bridges = await messageBridges(server, true, {
      publishing: { jetstream: true },
      subscribing: { durable: 'reader', ackWaitMs: 300 },
    })
    try {
      const publisher = await bridges.publisher()
      for (const text of numbers(20)) publisher.send(text)
      await server.kill()
      await server.start()
      let subscriber = await bridges.subscriber()
      t.deepEqual(await texts(subscriber, 20), numbers(20))
      let next = 20
      for (let i = 0; i < RESTARTS; i++) {
        for (const text of numbers(10, next)) publisher.send(text)
        t.deepEqual(await texts(subscriber, 5), numbers(5, next))
        await server.kill()
        await server.start()
        t.deepEqual(await texts(subscriber, 5), numbers(5, next + 5))
        next += 10
      }
      await subscriber.close()
      for (const text of numbers(5, next)) publisher.send(text)
      subscriber = await bridges.subscriber()
      t.deepEqual(await texts(subscriber, 5), numbers(5, next))
      await publisher.end()
      t.is(await publisher.receive(), undefined)
      t.like(bridges.publishing.stats().frames, { handedOver: next + 5, onTheWay: 0, unconfirmed: 0, unsent: 0 })
      t.log(bridges.publishing.stats().frames, bridges.subscribing.stats().messages)
    } finally {
      await bridges.close()
    }
  },
)

natsTest('without a stream that takes the subject, JetStream is refused', storing, async (t, server) => {
  const durable = messageBridges(server, false, { subscribing: { durable: 'reader' } })
  await t.throwsAsync(durable, { code: 'ERR_NOT_FOUND', message: /no stream takes test\./ })
})
