/**
 * Bytes that main writes, and bytes that shards write, of one connection: they arrive in their order, each once,
 * whatever the peer does meanwhile and however the connection ends.
 */
import { once } from 'node:events'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type EngineOptions } from '../../api/index.js'
import { digestOf, frameOf, receiveMany } from '../helpers/frames.js'
import { untilInline } from '../helpers/inline-traffic.js'
import { byLength } from '../helpers/length.js'
import { Random, testSeed } from '../helpers/random.js'
import { rawFrames } from '../helpers/raw-frames.js'
import { nodeProgram } from '../helpers/small-children.js'
import { SlowSocket } from '../helpers/slow-socket.js'
import { makeTemporaryFolder, pathOf, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until, type Signal } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { WriteObserver } from '../helpers/write-observer.js'

const WATCHDOG_MS = 120_000
const ROUNDS = byLength({ short: 8, long: 20 })
const STEPS = 60
/** Frames by which a socket is full, unless they are very small. */
const MOST_UNREAD = 400
/** Nothing here ends because it takes long. */
const PATIENT = { closeTimeoutMs: 600_000 }

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const seed = testSeed()

const limits = [64, 4_096, 65_536] as const
const rings = [4_096, 8_192, 131_072] as const
const wakes = ['park', 'adaptive'] as const
const endings = ['end()', 'close()', 'destroy()', "the peer's end"] as const

interface Plan {
  readonly random: Random
  readonly options: EngineOptions
  readonly limit: number
  readonly ending: (typeof endings)[number]
}

function planOf(round: number, what: number): Plan {
  const random = new Random(seed, what, round)
  const limit = random.pick(limits)
  const options: EngineOptions = {
    shards: 1,
    wake: random.pick(wakes),
    inlineWriteBytes: limit,
    initialRingBytes: random.pick(rings),
    maxRingBytes: 524_288,
  }
  return { random, options, limit, ending: endings[round % endings.length] ?? 'end()' }
}

/** Stops what reads the other end, for a while. */
interface Brake {
  hold(): void
  release(): void
}

/**
 * A mix of frames: alone, in bursts, at the limit, far over it, none for a while, and so many while nobody reads that
 * the socket is full. Returns what was sent.
 */
async function sendMixed(connection: Connection, brake: Brake, random: Random, limit: number): Promise<Buffer[]> {
  const frames: Buffer[] = []
  const send = async (length: number): Promise<void> => {
    const frame = frameOf(length, frames.length)
    frames.push(frame)
    if (!connection.send(frame) && random.oneIn(2)) await connection.ready()
  }
  for (let step = 0; step < STEPS; step++) {
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        await send(random.below(60))
        break
      case 3:
        for (let more = random.between(2, 20); more > 0; more--) await send(random.below(300))
        break
      case 4:
        await send(Math.max(0, limit - random.between(2, 6)))
        break
      case 5:
        await send(random.below(60_000))
        break
      case 6:
        await turns(random.below(40))
        break
      case 7:
        if (!random.oneIn(4)) break
        brake.hold()
        for (let more = MOST_UNREAD; more > 0 && connection.pendingBytes < 3 * limit; more--) {
          await send(random.below(limit))
          await turns()
        }
        brake.release()
    }
    await turns(random.below(4))
  }
  await send(7)
  return frames
}

async function onStage(
  t: ExecutionContext,
  body: (folder: TemporaryFolder, engineWith: (options: EngineOptions) => Promise<Engine>) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engines: Engine[] = []
  try {
    await body(folder, async (options) => {
      const engine = await createEngine(options)
      engines.push(engine)
      return engine
    })
  } finally {
    for (const engine of engines) {
      const { leaked, byKind } = await engine.close({ graceMs: 0 })
      t.is(leaked, 0, JSON.stringify(byKind))
    }
    await folder.remove()
  }
}

/** A connection that main writes to itself, and the socket at its other end, which has echoed until now. */
async function meetSocket(
  engine: Engine,
  endpoint: string,
  { ending, random }: Pick<Plan, 'ending' | 'random'>,
): Promise<{ connection: Connection; peer: SlowSocket; introduced: number; server: net.Server }> {
  const server = net.createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(pathOf(endpoint), resolve))
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const allowHalfOpen = ending === "the peer's end"
  const connection = await engine.transport(endpoint, { ...PATIENT, allowHalfOpen }).connect()
  const [socket] = await accepted
  const echo = (chunk: Buffer): void => void socket.write(chunk)
  let introduced = 0
  const count = ({ length }: Buffer): void => {
    introduced += length
  }
  socket.on('data', echo).on('data', count)
  await untilInline(engine, connection)
  socket.off('data', echo).off('data', count)
  return { connection, peer: new SlowSocket(socket, random), introduced, server }
}

onUnix(
  `unix: what is sent arrives as it was sent, and so does what a socket sends meanwhile (seed ${String(seed)})`,
  async (t) => {
    const observer = new WriteObserver()
    try {
      await onStage(t, async (folder, engineWith) => {
        for (let round = 0; round < ROUNDS; round++) {
          const plan = planOf(round, 1)
          const { random, ending } = plan
          const about = `round ${String(round)}, ${ending}`
          const engine = await engineWith(plan.options)
          const { connection, peer, server } = await meetSocket(engine, folder.endpoint(), plan)
          try {
            const answers = Array.from({ length: random.below(200) }, (_, i) => frameOf(random.below(2_000), i))
            const answering = writeAll(peer.socket, rawFrames(answers), ending === "the peer's end")
            const receiving = receiveMany(connection, answers.length)
            const sent = rawFrames(await sendMixed(connection, peer, random, plan.limit))
            switch (ending) {
              case 'end()':
              case "the peer's end":
                await connection.end()
                break
              case 'close()': {
                const closed = connection.close()
                // What the peer sends is not read to its end then, which it may wait for.
                await Promise.all([answering, peer.ended])
                peer.socket.end()
                t.is((await closed).code, 'OK', about)
                break
              }
              case 'destroy()':
                connection.destroy()
            }
            await peer.ended
            const { bytes } = peer
            if (ending === 'destroy()') t.true(bytes.equals(sent.subarray(0, bytes.length)), about)
            else t.true(bytes.equals(sent), `${about}: ${String(bytes.length)} of ${String(sent.length)}`)
            if (ending !== 'destroy()') t.is(digestOf(await receiving), digestOf(answers), about)
            else await receiving.catch(() => undefined)
            peer.socket.end()
            await connection.closed
          } finally {
            connection.destroy()
            peer.socket.destroy()
            server.close()
          }
        }
      })
    } finally {
      observer.stop()
    }
    t.true(observer.whole > ROUNDS, JSON.stringify(observer))
  },
)

onUnix(`unix: two engines send each other what they like, and all of it comes (seed ${String(seed)})`, async (t) => {
  await onStage(t, async (folder, engineWith) => {
    for (let round = 0; round < ROUNDS; round++) {
      const plan = planOf(round, 2)
      const about = `round ${String(round)}, ${plan.ending}`
      const near = await engineWith(plan.options)
      const far = await engineWith(planOf(round, 3).options)
      const endpoint = folder.endpoint()
      // Both send all that they have, whichever ends first.
      const options = { ...PATIENT, allowHalfOpen: true }
      const listener = await far.transport(endpoint, options).listen()
      const [dialled, accepted] = await Promise.all([near.transport(endpoint, options).connect(), listener.accept()])
      if (accepted === undefined) throw new Error('the listener closed')
      const stop = accepted.subscribe((frame) => void accepted.send(frame))
      await untilInlineAtBoth(near, far, dialled)
      stop()
      const sides = [
        { connection: dialled, random: new Random(seed, 4, round) },
        { connection: accepted, random: new Random(seed, 5, round) },
      ] as const
      const readers: SlowReader[] = []
      const bothDone = signal()
      let done = 0
      const results = await Promise.all(
        sides.map(async ({ connection, random }) => {
          const reader = new SlowReader(connection, random)
          readers.push(reader)
          const brake = {
            hold: () => readers.find((other) => other !== reader)?.hold(),
            release: () => readers.find((other) => other !== reader)?.release(),
          }
          const sent = await sendMixed(connection, brake, random, plan.limit)
          if (++done === sides.length) bothDone.resolve()
          if (plan.ending === 'destroy()') await bothDone.promise
          if (plan.ending === 'close()') await connection.close()
          else if (plan.ending === 'destroy()' && connection === dialled) connection.destroy()
          else await connection.end()
          return { sent, received: await reader.frames }
        }),
      )
      const [there, back] = results
      if (plan.ending === 'destroy()') {
        for (const [sent, received] of [
          [there?.sent, back?.received],
          [back?.sent, there?.received],
        ] as const)
          t.is(digestOf(received ?? []), digestOf(sent?.slice(0, received?.length) ?? []), about)
      } else {
        t.is(digestOf(back?.received ?? []), digestOf(there?.sent ?? []), about)
        t.is(digestOf(there?.received ?? []), digestOf(back?.sent ?? []), about)
      }
      await Promise.all([dialled.closed, accepted.closed])
    }
  })
})

onUnix(`a child echoes all that it is sent, in its order (seed ${String(seed)})`, async (t) => {
  await onStage(t, async (_, engineWith) => {
    for (let round = 0; round < Math.ceil(ROUNDS / 4); round++) {
      const plan = planOf(round, 6)
      const engine = await engineWith(plan.options)
      const connection = await engine.transport(nodeProgram('echo-child', [])).connect()
      await untilInline(engine, connection)
      const reader = new SlowReader(connection, new Random(seed, 7, round))
      const sent = await sendMixed(connection, reader, plan.random, plan.limit)
      await (plan.ending === 'close()' ? connection.close() : connection.end())
      t.is(digestOf(await reader.frames), digestOf(sent), `round ${String(round)}`)
      t.is((await connection.closed).code, 'OK')
    }
  })
})

for (const [what, length] of [
  ['nothing more', 500],
  ['a part of a write', 60_000],
] as const) {
  onUnix(`a socket that takes ${what} gets the rest in order once its peer reads on`, async (t) => {
    const options = { shards: 1, wake: 'park', inlineWriteBytes: 65_536, initialRingBytes: 131_072 } as const
    await onStage(t, async (folder, engineWith) => {
      const engine = await engineWith(options)
      const random = new Random(1)
      const { connection, peer, server } = await meetSocket(engine, folder.endpoint(), { ending: 'end()', random })
      const observer = new WriteObserver()
      try {
        const frames: Buffer[] = []
        const isSeen = (): boolean => (length > 4_096 ? observer.partial : observer.refused) > 0
        while (!isSeen()) {
          peer.hold()
          const { partial, refused } = observer
          // One at a time, until the socket is full and the shard waits with what is left.
          while (observer.partial + observer.refused === partial + refused && connection.pendingBytes < 200_000) {
            const frame = frameOf(length + random.below(length / 10), frames.length)
            frames.push(frame)
            connection.send(frame)
            await turns()
          }
          const { whole } = observer
          for (let i = 0; i < 20; i++) {
            const frame = frameOf(random.below(100), frames.length)
            frames.push(frame)
            connection.send(frame)
            await turns()
          }
          t.is(observer.whole, whole, 'main has overtaken the shard')
          const bytes = rawFrames(frames)
          peer.release()
          await until(() => peer.length === bytes.length)
          t.true(peer.bytes.equals(bytes))
        }
        const { whole } = observer
        for (let i = 0; observer.whole < whole + 10; i++) {
          frames.push(frameOf(i % 50, frames.length))
          connection.send(frames.at(-1) ?? '')
          await turns()
        }
        await connection.end()
        await peer.ended
        t.true(peer.bytes.equals(rawFrames(frames)))
      } finally {
        observer.stop()
        connection.destroy()
        peer.socket.destroy()
        server.close()
      }
    })
  })
}

async function writeAll(socket: net.Socket, bytes: Buffer, ends: boolean): Promise<void> {
  for (let at = 0; at < bytes.length; at += 5_000) {
    socket.write(bytes.subarray(at, at + 5_000))
    await turns()
  }
  if (ends) socket.end()
}

async function untilInlineAtBoth(near: Engine, far: Engine, connection: Connection): Promise<void> {
  await untilInline(near, connection)
  await untilInline(far, connection)
}

/** Takes all to the end of the stream, or to the end of the connection, with pauses. */
class SlowReader implements Brake {
  readonly frames: Promise<Buffer[]>
  #held: Signal<void> | undefined

  constructor(connection: Connection, random: Random) {
    this.frames = this.#read(connection, random)
  }

  hold(): void {
    this.#held ??= signal()
  }

  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  async #read(connection: Connection, random: Random): Promise<Buffer[]> {
    const frames: Buffer[] = []
    try {
      for (;;) {
        await this.#held?.promise
        const frame = await connection.receive()
        if (frame === undefined) return frames
        frames.push(frame)
        if (random.oneIn(10)) await turns(random.below(30))
      }
    } catch {
      // It was destroyed, by one side or the other.
      return frames
    }
  }
}
