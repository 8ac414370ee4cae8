/** What a bridge does when nobody answers, and with what no bridge sends; its clock is the test's. */
import { connect, type Msg } from '@nats-io/transport-node'
import { createEngine } from '../../api/index.js'
import type { ConnectionReport } from '../../api/bridge-nats/index.js'
import { startDialling } from '../../api/bridge-nats/dial-over-nats.js'
import { startListening } from '../../api/bridge-nats/listen-over-nats.js'
import { decodePacket, encodeState, encodeTerms } from '../../api/bridge-nats/packet.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { natsOptions } from '../helpers/message-bridges.js'
import { natsTest, type NatsServer } from '../helpers/nats-server.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const needs = { watchdogMs: 120_000 }
const TERMS = { windowBytes: 1_000, windowFrames: 10, maxFrameBytes: 1_000 }
const SUBJECT = 'test.silence'

async function stage(server: NatsServer, role: 'listen' | 'dial') {
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  const transport = engine.transport(folder.endpoint(), { allowHalfOpen: true })
  // The bridge looks after silent connections once a second.
  const clock = new ManualClock((ms) => ms === 1_000)
  const reports: ConnectionReport[] = []
  const options = {
    nats: natsOptions(server),
    transport,
    subject: SUBJECT,
    onLoss: (report: ConnectionReport) => reports.push(report),
  }
  const listener = role === 'dial' ? await transport.listen() : undefined
  const bridge = await (role === 'dial' ? startDialling(options, clock) : startListening(options, clock))
  const close = async (): Promise<void> => {
    await bridge.close({ graceMs: 0 })
    await engine.close({ graceMs: 0 })
    await folder.remove()
  }
  return { transport, clock, reports, bridge, listener, close }
}

/** One that speaks as a bridge does, until it is told otherwise. */
async function rawPeer(server: NatsServer) {
  const nats = await connect(natsOptions(server))
  const here = `${SUBJECT}.to.raw.connection1`
  const answers = nats.subscribe(here)
  await nats.flush()
  nats.publish(`${SUBJECT}.open`, encodeTerms('open', TERMS), { reply: here })
  const iterator = answers[Symbol.asyncIterator]()
  const next = async () => ((await iterator.next()) as IteratorYieldResult<Msg>).value
  const { reply: there = '', data } = await next()
  nats.publish(there, encodeState({ asks: true, misses: false, sent: 0, received: 0, handedOver: 0 }), { reply: here })
  return {
    accepted: decodePacket(data),
    /** Resolves once it has come. */
    async frames(): Promise<void> {
      while (decodePacket((await next()).data).kind !== 'frames');
    },
    say: (bytes: Uint8Array) => nats.publish(there, bytes),
    nats,
  }
}

natsTest('a connection that no bridge answers for ends after openTimeoutMs', needs, async (t, server) => {
  const { transport, clock, reports, bridge, close } = await stage(server, 'listen')
  try {
    const client = await transport.connect()
    while (bridge.stats().connections.opening === 0) await new Promise(setImmediate)
    clock.advance(9_000)
    t.is(bridge.stats().connections.opening, 1)
    clock.advance(1_000)
    t.is(await client.receive(), undefined)
    t.is(reports[0]?.code, 'ERR_TIMEOUT')
    t.regex(reports[0]?.cause?.message ?? '', /openTimeoutMs/)
  } finally {
    await close()
  }
})

natsTest('a connection outlives the loss of NATS for outageMs', needs, async (t, server) => {
  const { clock, reports, bridge, listener, close } = await stage(server, 'dial')
  const peer = await rawPeer(server)
  try {
    const served = await listener?.accept()
    while (bridge.stats().connections.open === 0) await new Promise(setImmediate)
    await server.kill()
    while (bridge.stats().nats === 'up') await new Promise(setImmediate)
    clock.advance(59_000)
    t.is(bridge.stats().connections.open, 1)
    served?.send('never published')
    while (bridge.stats().frames.onTheWay === 0) await new Promise(setImmediate)
    clock.advance(2_000)
    t.like(reports[0], { code: 'ERR_TIMEOUT', handedOver: 0, unconfirmed: 0, unsent: 1 })
  } finally {
    await peer.nats.close()
    await close()
  }
})

natsTest(
  'a bridge that falls silent is given up after peerTimeoutMs, and one that talks nonsense at once',
  needs,
  async (t, server) => {
    const { clock, reports, bridge, listener, close } = await stage(server, 'dial')
    const silent = await rawPeer(server)
    try {
      t.is(silent.accepted.kind, 'accept')
      const served = await listener?.accept()
      while (bridge.stats().connections.open === 0) await new Promise(setImmediate)
      served?.send('who is there?')
      await silent.frames()
      clock.advance(21_000)
      t.like(reports[0], { code: 'ERR_TIMEOUT', handedOver: 0, unconfirmed: 1, unsent: 0 })
      const mad = await rawPeer(server)
      await listener?.accept()
      while (bridge.stats().connections.open === 0) await new Promise(setImmediate)
      mad.say(Buffer.from('GET / HTTP/1.1'))
      while (bridge.stats().connections.open > 0) await new Promise(setImmediate)
      t.is(reports[1]?.code, 'ERR_FRAMING')
      await mad.nats.close()
    } finally {
      await silent.nats.close()
      await close()
    }
  },
)

natsTest('a bridge that asks for all again and again gets one window at a time', needs, async (t, server) => {
  const { reports, bridge, listener, close } = await stage(server, 'dial')
  const peer = await rawPeer(server)
  try {
    const served = await listener?.accept()
    while (bridge.stats().connections.open === 0) await new Promise(setImmediate)
    served?.send('kept')
    await peer.frames()
    for (let i = 0; i < 50; i++) {
      peer.say(encodeState({ asks: false, misses: true, sent: 0, received: 0, handedOver: 0 }))
    }
    peer.say(Buffer.from('GET / HTTP/1.1'))
    while (bridge.stats().connections.open > 0) await new Promise(setImmediate)
    t.is(reports[0]?.code, 'ERR_FRAMING')
    t.true(bridge.stats().packets.resent < 10)
  } finally {
    await peer.nats.close()
    await close()
  }
})

natsTest(
  'a connection of the host is used and left alone; one that NATS refuses is ERR_ACCESS',
  { ...needs, flags: ['--user', 'me', '--pass', 'secret'] },
  async (t, server) => {
    const engine = await createEngine({ shards: 1 })
    const folder = await makeTemporaryFolder()
    const transport = engine.transport(folder.endpoint())
    const clock = new ManualClock(() => false)
    try {
      const refused = startListening({ nats: natsOptions(server), transport, subject: SUBJECT }, clock)
      const error = await t.throwsAsync(refused, { code: 'ERR_ACCESS' })
      t.notRegex(error.message, /secret/)
      const nats = await connect({ ...natsOptions(server), user: 'me', pass: 'secret' })
      const bridge = await startListening({ nats, transport, subject: SUBJECT }, clock)
      t.is(bridge.stats().nats, 'up')
      await bridge.close()
      // It is the host's.
      t.false(nats.isClosed())
      await nats.close()
    } finally {
      await engine.close({ graceMs: 0 })
      await folder.remove()
    }
  },
)
