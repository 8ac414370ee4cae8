/** Handshakes against a shard that is the test, and over real sockets. */
import { once } from 'node:events'
import net from 'node:net'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test from 'ava'
import type { HandshakeLane } from '../../../engine/connection/handshake-lane.js'
import type { SocketHandle } from '../../../engine/internals/socket-handle.js'
import { writeNow } from '../../../engine/internals/socket-handle.js'
import { TransportError, type TransportErrorCode } from '../../../engine/protocol/errors.js'
import { inState, intent, lane, life } from '../../../engine/protocol/ring-layout.js'
import { systemErrno } from '../../../engine/protocol/system-errno.js'
import { rejects, throws } from '../../helpers/expected-errors.js'
import { encodeFrame, publishBytes } from '../../helpers/lane-fixture.js'
import { LoneLane } from '../../helpers/lone-connection.js'
import { identity, LoneHandshake } from '../../helpers/lone-handshake.js'
import { OneShard } from '../../helpers/one-shard.js'
import { rawFrame, RawReader } from '../../helpers/raw-frames.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { turns, until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const ECONNRESET = systemErrno('ECONNRESET')

failOnWarnings()

const lost = new TransportError('ERR_SHARD_LOST', 'lost')

test('messages go both ways, each published at once', async (t) => {
  const lone = new LoneHandshake()
  const { handshake } = lone
  handshake.send(Buffer.from('hello'))
  t.deepEqual(lone.takeSent(), ['hello'])
  publishBytes(lone.producer, Buffer.concat([encodeFrame(Buffer.from('offer')), encodeFrame(Buffer.from('more'))]))
  t.is(String(await handshake.receive()), 'offer')
  t.is(String(await handshake.receive()), 'more')
  const next = handshake.receive()
  const last = encodeFrame(Buffer.alloc(512, 'x'))
  publishBytes(lone.producer, last.subarray(0, 300))
  handshake.onNotify()
  publishBytes(lone.producer, last.subarray(300))
  handshake.onNotify()
  t.is((await next).length, 512)
})

test.serial('a connection goes on from the next byte, as if nothing had come before', async (t) => {
  const events: unknown[] = []
  const onOpened = (event: unknown): number => events.push(event)
  subscribe('symphony-transport:connection.opened', onOpened)
  t.teardown(() => unsubscribe('symphony-transport:connection.opened', onOpened))
  const lone = new LoneHandshake()
  const { handshake } = lone
  handshake.send(Buffer.from('hello'))
  const one = encodeFrame(Buffer.from('one'))
  publishBytes(lone.producer, Buffer.concat([encodeFrame(Buffer.from('offer')), one, one.subarray(0, 5)]))
  await handshake.receive()
  t.deepEqual(events, [])
  const connection = handshake.connect(lone.settings, { ...identity, memory: 'socket' })
  t.is(events.length, 1)
  t.is(String(await connection.receive()), 'one')
  const next = connection.receive()
  publishBytes(lone.producer, one.subarray(5))
  connection.onNotify()
  t.is(String(await next), 'one')
  connection.send('frame')
  await turns()
  t.deepEqual(lone.takeSent(), ['hello', 'frame'])
  const { framesSent, bytesSent, framesReceived, bytesReceived, memory } = connection.info
  t.deepEqual([framesSent, bytesSent, framesReceived, bytesReceived, memory], [1, 5, 2, 6, 'socket'])
  // The handshake has nothing to say any more.
  handshake.destroy()
  handshake.onNotify()
  handshake.onShardLost(lost)
  await rejects(t, handshake.receive(), 'ERR_CLOSED')
  throws(t, () => handshake.connect(lone.settings, identity), 'ERR_CLOSED')
  t.deepEqual([lone.released, lone.keptAlive, lone.load(lane.OUT_INTENT)], [0, 1, intent.OPEN])
  connection.destroy()
  lone.store(lane.LIFE, life.CLOSED)
  connection.onNotify()
  await connection.closed
  t.deepEqual([lone.released, lone.keptAlive], [1, 0])
})

const endings: readonly (readonly [what: string, code: TransportErrorCode, end: (lone: LoneHandshake) => void])[] = [
  [
    'a message that is too long',
    'ERR_HANDSHAKE',
    (lone) => publishBytes(lone.producer, encodeFrame(Buffer.alloc(513)).subarray(0, 4)),
  ],
  ['an end before it', 'ERR_RESET', (lone) => lone.store(lane.IN_STATE, inState.ENDED)],
  [
    'an end in the middle',
    'ERR_RESET',
    (lone) => {
      publishBytes(lone.producer, encodeFrame(Buffer.from('offer')).subarray(0, 6))
      lone.store(lane.IN_STATE, inState.ENDED)
      lone.store(lane.LIFE, life.CLOSED)
    },
  ],
  [
    'a socket that was reset',
    'ERR_RESET',
    (lone) => {
      lone.store(lane.FAILURE, Math.abs(ECONNRESET))
      lone.store(lane.LIFE, life.CLOSED)
    },
  ],
  ['the loss of its shard', 'ERR_SHARD_LOST', (lone) => lone.handshake.onShardLost(lost)],
  ['being given up', 'ERR_CLOSED', (lone) => lone.handshake.destroy()],
]

for (const [what, code, end] of endings) {
  test(`waiting for a message ends with ${code} after ${what}`, async (t) => {
    const lone = new LoneHandshake()
    const { handshake } = lone
    const waiting = rejects(t, handshake.receive(), code)
    end(lone)
    handshake.onNotify()
    await waiting
    await rejects(t, handshake.receive(), code)
    handshake.destroy()
    lone.store(lane.LIFE, life.CLOSED)
    handshake.onNotify()
    handshake.onNotify()
    t.deepEqual([lone.released, lone.keptAlive], [1, 0])
  })
}

test('what came before the end of the stream is received', async (t) => {
  const lone = new LoneHandshake()
  publishBytes(lone.producer, encodeFrame(Buffer.from('offer')))
  lone.store(lane.IN_STATE, inState.ENDED)
  lone.store(lane.LIFE, life.CLOSED)
  lone.handshake.onNotify()
  t.is(String(await lone.handshake.receive()), 'offer')
  await rejects(t, lone.handshake.receive(), 'ERR_RESET')
})

test('what was sent has left once the shard has handed it over', async (t) => {
  const lone = new LoneHandshake()
  const { handshake } = lone
  await handshake.sent()
  handshake.send(Buffer.from('hello'))
  let hasLeft = false
  const leaving = handshake.sent().then(() => {
    hasLeft = true
  })
  handshake.onNotify()
  await turns()
  t.deepEqual([hasLeft, lone.load(lane.OUT_SPACE)], [false, 1])
  t.deepEqual(lone.takeSent(), ['hello'])
  // The socket ends in the same moment.
  lone.store(lane.LIFE, life.CLOSED)
  handshake.onNotify()
  await leaving
})

test('what was sent and cannot leave any more is an error', async (t) => {
  const lone = new LoneHandshake()
  const { handshake } = lone
  handshake.send(Buffer.from('hello'))
  const reset = rejects(t, handshake.sent(), 'ERR_RESET')
  lone.store(lane.FAILURE, Math.abs(ECONNRESET))
  lone.store(lane.LIFE, life.CLOSED)
  handshake.onNotify()
  await reset
  handshake.destroy()
  await rejects(t, handshake.sent(), 'ERR_CLOSED')
})

/** How the shard answers when it is told to leave. */
const answers: readonly (readonly [what: string, answer: (lone: LoneHandshake) => void])[] = [
  ['the shard has left', (lone) => lone.store(lane.LIFE, life.CLOSED)],
  ['the shard is dead', (lone) => lone.handshake.onShardLost(lost)],
  [
    'the handshake is given up',
    (lone) => {
      lone.handshake.destroy()
      lone.store(lane.LIFE, life.CLOSED)
    },
  ],
]

for (const [what, answer] of answers) {
  test(`the lane is given back, once, when ${what}`, async (t) => {
    const lone = new LoneHandshake()
    const { handshake } = lone
    let hasLeft = false
    const leaving = handshake.leave().then(() => {
      hasLeft = true
    })
    t.is(lone.load(lane.OUT_INTENT), intent.LEAVE)
    await rejects(t, handshake.receive(), 'ERR_CLOSED')
    handshake.onNotify()
    await turns()
    t.deepEqual([hasLeft, lone.released, lone.keptAlive], [false, 0, 1])
    answer(lone)
    handshake.onNotify()
    await leaving
    await handshake.leave()
    t.deepEqual([lone.released, lone.keptAlive], [1, 0])
  })
}

test('leaving fails when the shard dies with a message that the peer may not have', async (t) => {
  const lone = new LoneHandshake()
  const { handshake } = lone
  handshake.send(Buffer.from('answer'))
  const leaving = rejects(t, handshake.leave(), 'ERR_SHARD_LOST')
  handshake.onShardLost(lost)
  await leaving
  t.deepEqual([lone.released, lone.keptAlive], [1, 0])
})

test('leaving succeeds when the shard dies and the peer has every message', async (t) => {
  const lone = new LoneHandshake()
  const { handshake } = lone
  handshake.send(Buffer.from('answer'))
  const leaving = handshake.leave()
  t.deepEqual(lone.takeSent(), ['answer'])
  handshake.onShardLost(lost)
  await leaving
  t.is(lone.released, 1)
})

test('a lane that the shard has closed by itself is left at once', async (t) => {
  const lone = new LoneHandshake()
  lone.store(lane.LIFE, life.CLOSED)
  await lone.handshake.leave()
  t.is(lone.released, 1)
})

test('a duplicate that arrives when the handshake was given up is closed', async (t) => {
  const lone = new LoneHandshake()
  let closed = 0
  const asked = lone.handshake.duplicate()
  lone.handshake.destroy()
  lone.duplicate.resolve({ fd: 5, close: () => closed++ })
  t.is(await asked, undefined)
  t.is(await lone.handshake.duplicate(), undefined)
  t.is(closed, 1)
})

interface RealPeer {
  readonly one: OneShard
  readonly handshake: HandshakeLane
  readonly peer: net.Socket
  readonly reader: RawReader
  /** What the peer has noticed. */
  readonly noticed: string[]
}

/** A handshake on a real shard with a plain socket. */
async function withRealPeer(use: (place: RealPeer) => Promise<void>): Promise<number> {
  const folder = await makeTemporaryFolder()
  const server = net.createServer({ allowHalfOpen: true })
  const path = folder.socketPath()
  const one = new OneShard()
  let leaked: number
  let peer: net.Socket | undefined
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    await one.boot()
    const accepted = once(server, 'connection') as Promise<[net.Socket]>
    const control = { onStarted: () => undefined, timeoutMs: 0 }
    const { settings } = new LoneLane()
    const handshake = await one.shard.dialToShake({ kind: 'unix', path }, settings, identity, control)
    const [socket] = await accepted
    peer = socket
    const noticed: string[] = []
    for (const event of ['end', 'error', 'close']) socket.on(event, () => noticed.push(event))
    await use({ one, handshake, peer, reader: new RawReader(peer), noticed })
  } finally {
    peer?.destroy()
    server.close()
    leaked = await one.stop()
    await folder.remove()
  }
  return leaked
}

const declareUnix = process.platform === 'win32' ? test.skip : test

/** Main's own duplicate, which there is. */
async function duplicateOf(handshake: HandshakeLane): Promise<SocketHandle> {
  const handle = await handshake.duplicate()
  if (handle === undefined) throw new Error('there is no duplicate')
  return handle
}

declareUnix('a shard that leaves ends nothing for the peer, and the socket lives on in the duplicate', async (t) => {
  t.timeout(WATCHDOG_MS)
  const leaked = await withRealPeer(async ({ one, handshake, peer, reader, noticed }) => {
    const lanes = (): number => one.ledger.snapshot().byKind.lanes.open
    t.deepEqual([lanes(), one.shard.connections, one.shard.load], [1, [], 1])
    const handle = await duplicateOf(handshake)
    // Sent, and left in the same moment; what the peer says meanwhile is not read.
    handshake.send(Buffer.from('answer'))
    peer.write(rawFrame('unread'))
    await handshake.leave()
    t.is(lanes(), 0)
    t.is(String(await reader.next()), 'answer')
    const bytes = rawFrame('from main')
    t.is(writeNow(handle.fd, bytes, 0, bytes.length), bytes.length)
    t.is(String(await reader.next()), 'from main')
    t.deepEqual(noticed, [])
    // Not the end of the shard either.
    await one.supervisor.stop()
    t.is(writeNow(handle.fd, bytes, 0, bytes.length), bytes.length)
    t.is(String(await reader.next()), 'from main')
    t.deepEqual(noticed, [])
    handle.close()
    await until(() => noticed.includes('end') || noticed.includes('close'))
  })
  t.is(leaked, 0)
})

declareUnix('a handshake that is given up ends for the peer although there is a duplicate', async (t) => {
  t.timeout(WATCHDOG_MS)
  const leaked = await withRealPeer(async ({ one, handshake, noticed }) => {
    const handle = await duplicateOf(handshake)
    handshake.destroy()
    await until(() => noticed.includes('end'))
    await until(() => one.ledger.snapshot().byKind.lanes.open === 0)
    handle.close()
  })
  t.is(leaked, 0)
})

declareUnix('a connection goes on over a real socket behind the bytes that came with the last message', async (t) => {
  t.timeout(WATCHDOG_MS)
  const leaked = await withRealPeer(async ({ one, handshake, peer, reader }) => {
    handshake.send(Buffer.from('hello'))
    t.is(String(await reader.next()), 'hello')
    peer.write(Buffer.concat([rawFrame('offer'), rawFrame('first')]))
    t.is(String(await handshake.receive()), 'offer')
    const connection = handshake.connect(new LoneLane().settings, { ...identity, memory: 'socket' })
    t.deepEqual([one.shard.connections, one.shard.stats().connections], [[connection], 1])
    connection.send('second')
    t.is(String(await connection.receive()), 'first')
    t.is(String(await reader.next()), 'second')
    connection.destroy()
    await connection.closed
  })
  t.is(leaked, 0)
})

declareUnix('the death of the shard ends a handshake, and resolves a leave', async (t) => {
  t.timeout(WATCHDOG_MS)
  const leaked = await withRealPeer(async ({ one, handshake }) => {
    const waiting = rejects(t, handshake.receive(), 'ERR_SHARD_LOST')
    one.shard.kill(new Error('killed'))
    await waiting
    await handshake.leave()
  })
  t.is(leaked, 0)
})
