/** Connections that go on over NATS, between two bridges and over a real server. */
import { inspect } from 'node:util'
import { listenOverNats, type BridgeOptions, type ConnectionReport } from '../../api/bridge-nats/index.js'
import { bridgedPair } from '../helpers/bridged-pair.js'
import { natsTest } from '../helpers/nats-server.js'
import { patternBytes } from '../helpers/random.js'

const WATCHDOG_MS = 120_000
const needs = { watchdogMs: WATCHDOG_MS }

natsTest('frames pass in order, both ways, and so do both ends', needs, async (t, server) => {
  const pair = await bridgedPair(server)
  try {
    const client = await pair.connect()
    for (let i = 0; i < 500; i++) client.send(`to ${String(i)}`)
    const served = await pair.accept()
    for (let i = 0; i < 500; i++) served.send(`from ${String(i)}`)
    for (let i = 0; i < 500; i++) {
      t.is(String(await served.receive()), `to ${String(i)}`)
      t.is(String(await client.receive()), `from ${String(i)}`)
    }
    client.send('')
    await client.end()
    t.is(String(await served.receive()), '')
    t.is(await served.receive(), undefined)
    served.send('after your end')
    await served.end()
    t.is(String(await client.receive()), 'after your end')
    t.is(await client.receive(), undefined)
    t.is((await client.closed).code, 'OK')
    t.is((await served.closed).code, 'OK')
  } finally {
    await pair.close()
  }
})

natsTest('a frame of many packets arrives whole', needs, async (t, server) => {
  const pair = await bridgedPair(server)
  try {
    const client = await pair.connect()
    const frame = patternBytes(5_000_001, 1)
    client.send(frame)
    client.send('and a small one')
    const served = await pair.accept()
    t.true(frame.equals((await served.receive()) ?? Buffer.alloc(0)))
    t.is(String(await served.receive()), 'and a small one')
  } finally {
    await pair.close()
  }
})

natsTest(
  'a reader that does not read stops the sender, and what is kept is bounded by the window',
  needs,
  async (t, server) => {
    const windowBytes = 20_000
    const pair = await bridgedPair(server, { listening: { windowBytes, windowFrames: 64 } })
    try {
      const client = await pair.connect()
      let sent = 0
      const stop = new AbortController()
      const frame = Buffer.alloc(10_000)
      const sending = (async () => {
        while (!stop.signal.aborted) {
          if (client.send([Buffer.from([sent++ % 251]), frame])) await new Promise(setImmediate)
          else await client.ready().catch(() => undefined)
        }
      })()
      const served = await pair.accept()
      // All buffers of the way fill: then the window stays full, and nothing is taken from the client any more.
      const near = () => pair.listening.stats()
      const taken = (): number => near().frames.onTheWay + near().frames.handedOver
      const isFull = (): boolean =>
        near().bytesOnTheWay >= windowBytes &&
        client.pendingBytes > 0 &&
        pair.dialling.stats().frames.received === taken() &&
        pair.dialling.stats().frames.delivered < taken()
      while (!isFull()) {
        t.true(near().bytesOnTheWay < windowBytes + 10_001)
        await new Promise(setImmediate)
      }
      t.true(sent > taken())
      for (let i = 0; i < sent; i++) {
        const next = await served.receive()
        t.is(next?.[0], i % 251)
        if (i === 400) stop.abort()
      }
      await sending
      while (pair.listening.stats().frames.onTheWay > 0) await new Promise(setImmediate)
      t.is(pair.listening.stats().frames.handedOver, sent)
    } finally {
      await pair.close()
    }
  },
)

natsTest(
  'two bridges that dial share a hundred connections, each of which has its own order',
  needs,
  async (t, server) => {
    const pair = await bridgedPair(server)
    const second = await pair.dialOnceMore()
    try {
      const clients = await Promise.all(Array.from({ length: 100 }, () => pair.connect()))
      void pair.serveAll(async (served) => {
        for await (const frame of served) served.send(frame)
        await served.close()
      })
      await Promise.all(
        clients.map(async (client, i) => {
          for (let n = 0; n < 20; n++) client.send(`${String(i)}/${String(n)}`)
          for (let n = 0; n < 20; n++) t.is(String(await client.receive()), `${String(i)}/${String(n)}`)
          await client.close()
        }),
      )
      const shares = [pair.dialling, second].map((bridge) => bridge.stats().frames.received)
      t.is((shares[0] ?? 0) + (shares[1] ?? 0), 2_000)
      t.true(shares.every((share) => share > 0))
    } finally {
      await second.close({ graceMs: 0 })
      await pair.close()
    }
  },
)

natsTest('an endpoint that nobody serves ends the connection with the reason of the dial', needs, async (t, server) => {
  const reports: ConnectionReport[] = []
  const errors: string[] = []
  const pair = await bridgedPair(server, {
    listening: { onLoss: (report) => reports.push(report) },
    dialling: { onError: ({ code }) => errors.push(code) },
  })
  try {
    await pair.stopServing()
    const client = await pair.connect()
    t.is(await client.receive(), undefined)
    t.deepEqual([reports.map(({ code }) => code), errors], [['ERR_NOT_FOUND'], ['ERR_NOT_FOUND']])
    t.is(pair.dialling.stats().connections.refused, 1)
  } finally {
    await pair.close()
  }
})

natsTest(
  'a frame that the other bridge does not take ends the connection, and is reported as unsent',
  needs,
  async (t, server) => {
    const reports: ConnectionReport[] = []
    const pair = await bridgedPair(server, {
      listening: { onLoss: (report) => reports.push(report) },
      dialling: { maxFrameBytes: 1_000 },
    })
    try {
      const client = await pair.connect()
      const served = await pair.accept()
      client.send('first')
      t.is(String(await served.receive()), 'first')
      client.send(Buffer.alloc(1_001))
      t.is(await client.receive(), undefined)
      t.like(reports[0], { code: 'ERR_FRAME_TOO_LARGE', unsent: 1 })
      t.is(await served.receive().catch(() => undefined), undefined)
    } finally {
      await pair.close()
    }
  },
)

natsTest('a bridge that closes hands over what it has taken, at both sides', needs, async (t, server) => {
  const pair = await bridgedPair(server)
  try {
    const client = await pair.connect()
    client.send('a')
    const served = await pair.accept()
    t.is(String(await served.receive()), 'a')
    for (let i = 0; i < 300; i++) {
      client.send(`to ${String(i)}`)
      served.send(`from ${String(i)}`)
    }
    while (pair.listening.stats().frames.received < 300 || pair.dialling.stats().frames.received < 301) {
      await new Promise(setImmediate)
    }
    t.deepEqual(await pair.listening.close({ graceMs: 20_000 }), { code: 'OK' })
    for (let i = 0; i < 300; i++) {
      t.is(String(await served.receive()), `to ${String(i)}`)
      t.is(String(await client.receive()), `from ${String(i)}`)
    }
    t.is(await client.receive(), undefined)
    t.like(pair.listening.stats().frames, { handedOver: 301, unconfirmed: 0, unsent: 0, received: 300, delivered: 300 })
    t.deepEqual(await pair.listening.close(), { code: 'OK' })
  } finally {
    await pair.close()
  }
})

natsTest('options are checked before anything is opened', needs, async (t, server) => {
  const pair = await bridgedPair(server)
  try {
    const nats = { servers: server.url }
    const transport = pair.engine.transport('local:never')
    const wrong = (options: object): Promise<unknown> => listenOverNats(options as BridgeOptions)
    const refused = (options: object, message: RegExp): Promise<unknown> =>
      t.throwsAsync(wrong(options), { code: 'ERR_INVALID_OPTION', message })
    await refused({ nats, transport }, /subject: expected a subject/)
    for (const subject of ['a.*', 'a.>', 'a b', '.a', 'a..b', 'a\r\nPUB', '$JS.API', '']) {
      await refused({ nats, transport, subject }, /subject: expected a subject/)
    }
    await refused({ nats, transport, subject: 'a', windowsBytes: 1 }, /did you mean "windowBytes"/)
    await refused({ nats, transport, subject: 'a', windowBytes: 1 }, /windowBytes: expected an integer from 1024/)
    const nobody = { nats: { servers: 'nats://127.0.0.1:1' }, transport, subject: 'a' }
    await t.throwsAsync(listenOverNats(nobody), { code: 'ERR_REFUSED' })
    const unfit = { ...nobody, nats: { servers: 'nats://me:secret@host:99999' } }
    const error = await t.throwsAsync(listenOverNats(unfit), { code: 'ERR_INVALID_OPTION' })
    t.notRegex(inspect(error, { depth: Infinity }), /secret/)
  } finally {
    await pair.close()
  }
})
