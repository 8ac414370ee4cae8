/** Shards that die, peers that reset or end, and connections that end, while main reads from the socket itself. */
import fs from 'node:fs'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type TransportOptions } from '../../api/index.js'
import { moreDescriptorsThan } from '../fixtures/left-open.js'
import { faultyOptions, nextEvent, strikeSoon } from '../helpers/faults.js'
import { digestOf, frameOf, receiveToEnd } from '../helpers/frames.js'
import { readCounts, readsSince, roundTrip, untilMainReads } from '../helpers/inline-traffic.js'
import { byLength } from '../helpers/length.js'
import { canCountResources, processResources } from '../helpers/process-resources.js'
import { Random, testSeed } from '../helpers/random.js'
import { rawFrames } from '../helpers/raw-frames.js'
import { RestlessReading } from '../helpers/restless-reading.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { spinUntil } from '../helpers/watching-peer.js'

const WATCHDOG_MS = 120_000
const ROUNDS = byLength({ short: 30, long: 120 })

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const onLinux = canCountResources ? test.serial : test.serial.skip
const seed = testSeed()

interface Meeting {
  readonly connection: Connection
  /** The other end, which has echoed until now. */
  readonly peer: net.Socket
}

interface Stage {
  readonly engine: Engine
  readonly connect: (options?: TransportOptions) => Promise<Meeting>
  /** As `connect()`, and main reads; from here on the peer does nothing by itself. */
  readonly meet: (options?: TransportOptions) => Promise<Meeting>
}

/** An engine whose shards can be killed, and a plain socket. */
async function onStage(t: ExecutionContext, body: (stage: Stage) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const peers = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    peers.add(socket)
    socket.on('close', () => peers.delete(socket)).on('error', () => undefined)
    socket.on('data', echo).on('end', endAsWell)
  })
  const engine = await createEngine({ ...faultyOptions(), shards: 1, wake: 'park' })
  const connect = async (options?: TransportOptions): Promise<Meeting> => {
    const connection = await engine.transport(`unix:${path}`, options).connect()
    await roundTrip(connection)
    const peer = [...peers].at(-1)
    if (peer === undefined) throw new Error('there is no peer')
    return { connection, peer }
  }
  const meet = async (options?: TransportOptions): Promise<Meeting> => {
    const { connection, peer } = await connect(options)
    if (options?.inlineWrites !== 'never') await untilMainReads(engine, connection)
    peer.off('data', echo).off('end', endAsWell)
    return { connection, peer }
  }
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    await body({ engine, connect, meet })
  } finally {
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
    for (const socket of peers) socket.destroy()
    server.close()
    await folder.remove()
  }
}

function echo(this: net.Socket, chunk: Buffer): void {
  this.write(chunk)
}

function endAsWell(this: net.Socket): void {
  this.end()
}

function whenEnded(peer: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    peer.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'error'))
    peer.on('end', () => resolve('end')).resume()
  })
}

onUnix('a shard that dies while main reads ends its connections, and their peers see the end', async (t) => {
  await onStage(t, async ({ engine, connect, meet }) => {
    let before = 0
    for (let round = 0; round < 4; round++) {
      const lost = nextEvent('shard.lost')
      const restored = nextEvent('shard.restored')
      const { connection, peer } = await meet()
      const ended = whenEnded(peer)
      strikeSoon(engine, 0, 'exit')
      await lost
      t.is((await connection.closed).code, 'ERR_SHARD_LOST')
      t.is(await ended, 'end')
      peer.destroy()
      await restored
      t.is(engine.stats().ledger.byKind.duplicates.open, 0)
      const next = await connect()
      t.is(String(await roundTrip(next.connection, 'back again')), 'back again')
      await next.connection.close()
      // The first rounds make what a process makes once.
      if (round === 1 && canCountResources) before = processResources().descriptors
    }
    if (canCountResources) t.is(await moreDescriptorsThan(before), 0)
  })
})

onLinux('what has come before the shard died is delivered, also if main was busy then', async (t) => {
  await onStage(t, async ({ engine, meet }) => {
    const threads = (): number => fs.readdirSync('/proc/self/task').length
    for (let round = 0; round < 4; round++) {
      const restored = nextEvent('shard.restored')
      const { connection, peer } = await meet()
      const receiving = receive(connection)
      await turns()
      const before = threads()
      peer.write(rawFrames([Buffer.from('last'), Buffer.from('words')]))
      strikeSoon(engine, 0, 'exit')
      t.true(spinUntil(() => threads() < before))
      t.deepEqual(await receiving, ['last', 'words', 'ERR_SHARD_LOST'])
      await restored
      peer.destroy()
    }
  })
})

async function receive(connection: Connection): Promise<string[]> {
  const all: string[] = []
  try {
    for (;;) {
      const frame = await connection.receive()
      if (frame === undefined) return all
      all.push(String(frame))
    }
  } catch (error) {
    return [...all, (error as NodeJS.ErrnoException).code ?? '?']
  }
}

onUnix('a reset by the peer ends the connection in the same way, whoever reads it', async (t) => {
  await onStage(t, async ({ meet }) => {
    const ends: unknown[] = []
    for (const inlineWrites of ['auto', 'never'] as const) {
      const { connection, peer } = await meet({ inlineWrites })
      const receiving = receive(connection)
      // It reads on until it has enough.
      peer.pause()
      connection.send(Buffer.alloc(peer.readableHighWaterMark))
      await until(() => peer.readableLength >= peer.readableHighWaterMark)
      connection.send('never read')
      await until(() => connection.pendingBytes === 0)
      peer.write(rawFrames([Buffer.from('before')]))
      const { framesReceived } = connection.info
      // What comes with a reset may pass for all of the stream: libuv does not look further.
      await until(() => connection.info.framesReceived > framesReceived)
      peer.destroy()
      const { code, cause } = await connection.closed
      const { errno, syscall } = (cause?.cause ?? {}) as NodeJS.ErrnoException
      ends.push({ received: await receiving, code, message: cause?.message, errno, syscall })
    }
    t.deepEqual(ends[0], ends[1])
    t.like(ends[0], { code: 'ERR_RESET', received: ['before', 'ERR_RESET'] })
  })
})

onUnix('frames and an end that come together all count, and the end is clean', async (t) => {
  await onStage(t, async ({ engine, meet }) => {
    for (const count of [1, 3, 200]) {
      const { connection, peer } = await meet()
      const frames = Array.from({ length: count }, (_, i) => frameOf(i, i))
      const receiving = receiveToEnd(connection)
      const before = readCounts(engine)
      peer.end(rawFrames(frames))
      peer.resume()
      t.is(digestOf(await receiving), digestOf(frames))
      t.deepEqual(await connection.closed, { code: 'OK' })
      t.true(readsSince(engine, before).inlineReads > 0)
    }
  })
})

onUnix(
  'a peer that ends while main is busy has ended for the next thing that is sent, and all it said comes',
  async (t) => {
    await onStage(t, async ({ meet }) => {
      const { connection, peer } = await meet()
      const receiving = receive(connection)
      await turns()
      peer.write(rawFrames([Buffer.from('last'), Buffer.from('words')]))
      peer.destroySoon()
      await turns(0)
      connection.send('too late')
      t.deepEqual((await receiving).slice(0, 2), ['last', 'words'])
      await connection.closed
    })
  },
)

onUnix('a side that has ended receives to the end of the other, and the other way round', async (t) => {
  await onStage(t, async ({ engine, meet }) => {
    const frames = Array.from({ length: 100 }, (_, i) => frameOf(50 + i, i))
    const near = await meet({ allowHalfOpen: true })
    const receiving = receiveToEnd(near.connection)
    const heardEnd = whenEnded(near.peer)
    await near.connection.end()
    t.is(await heardEnd, 'end')
    t.is(engine.stats().ledger.byKind.duplicates.open, 0)
    for (const frame of frames) {
      near.peer.write(rawFrames([frame]))
      await turns()
    }
    near.peer.end()
    t.is(digestOf(await receiving), digestOf(frames))
    t.deepEqual(await near.connection.closed, { code: 'OK' })

    const far = await meet({ allowHalfOpen: true })
    const chunks: Buffer[] = []
    far.peer.on('data', (chunk) => chunks.push(chunk))
    far.peer.end()
    t.deepEqual(await receiveToEnd(far.connection), [])
    for (const frame of frames) {
      far.connection.send(frame)
      await turns()
    }
    const ended = whenEnded(far.peer)
    t.deepEqual(await far.connection.close(), { code: 'OK' })
    t.is(await ended, 'end')
    t.true(Buffer.concat(chunks).equals(rawFrames(frames)))
  })
})

onUnix('a connection that is destroyed with an answer unread is an end for its peer, and no reset', async (t) => {
  await onStage(t, async ({ meet }) => {
    for (let round = 0; round < 5; round++) {
      const { connection, peer } = await meet()
      const ended = whenEnded(peer)
      peer.write(rawFrames([Buffer.from('unread')]))
      connection.destroy()
      t.is(await ended, 'end')
      peer.end()
      await connection.closed
    }
  })
})

const endings: readonly (readonly [string, (meeting: Meeting) => unknown])[] = [
  ['destroy()', ({ connection }) => connection.destroy()],
  ['close()', ({ connection }) => connection.close()],
  ['end()', ({ connection }) => connection.end()],
  ['an end of the peer', ({ peer }) => peer.end()],
  ['a cut by the peer', ({ peer }) => peer.destroy()],
]

for (const [what, end] of endings) {
  onUnix(`${what} while the reading changes sides ends all, and leaves nothing (seed ${String(seed)})`, async (t) => {
    const restless = new RestlessReading(new Random(seed, 1))
    try {
      await onStage(t, async ({ engine, connect, meet }) => {
        const first = await meet()
        first.peer.on('data', echo)
        const before = canCountResources ? processResources().descriptors : 0
        const random = new Random(seed, 2)
        for (let round = 0; round < ROUNDS; round++) {
          const meeting = await connect()
          const { connection } = meeting
          const trips = random.between(5, 25)
          const made = signal()
          let left = trips
          // Ends are noticed, and frames are taken.
          connection.subscribe(() => {
            if (--left < 0) return
            if (left === 0) made.resolve()
            connection.send('ping')
          })
          connection.send('ping')
          await made.promise
          if (random.oneIn(2)) await turns(random.below(3))
          else for (let i = random.below(4); i > 0; i--) await Promise.resolve()
          end(meeting)
          await connection.closed
          t.is(engine.stats().ledger.byKind.duplicates.open, 1, `round ${String(round)}`)
        }
        t.is(String(await roundTrip(first.connection, 'still there')), 'still there')
        t.true(readCounts(engine).inlineReads > ROUNDS)
        if (canCountResources) t.is(await moreDescriptorsThan(before), 0)
      })
    } finally {
      restless.stop()
    }
  })
}
