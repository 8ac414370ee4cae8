/** The connections of a shard that dies: what its rings hold is delivered, then each of them ends, once. */
import type { ConnectionClosedEvent, Connection, Engine } from '../../api/index.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { EventLog, faultyOptions, nextEvent, strike, type Fault } from '../helpers/faults.js'
import { digestOf, framesOf, randomLengths } from '../helpers/frames.js'
import { signal, until } from '../helpers/turns.js'
import type { FaultSuite } from './fault-suite.js'
import { Meeting } from './meeting.js'

/** What the cause of ERR_SHARD_LOST says. */
const causes: Record<Fault, RegExp> = {
  throw: /injected error/,
  rejection: /injected rejection/,
  exit: /exited with code:? 3/,
  memory: /memory/,
  stuck: /did not answer for 250 ms/,
}

const RING_BYTES = 32_768
/** More than both rings and the kernel hold. */
const flood = framesOf(randomLengths(150, 40_000, 5).map((length) => 5_000 + length))

export function connectionTests({ test, faults }: FaultSuite): void {
  for (const fault of faults) {
    test(
      `${fault}: each connection delivers what its rings hold, then ERR_SHARD_LOST, and every pending call settles`,
      { ...faultyOptions(fault), initialRingBytes: RING_BYTES, maxRingBytes: RING_BYTES },
      async (t, world, engine) => {
        const log = new EventLog('connection.closed')
        const { meeting } = await Meeting.open(world, engine)

        const unread = await meeting.connect()
        const there = framesOf([0, 10, 1_000, 7_000], 10)
        const back = framesOf([7, 5_000], 20)
        const held = await meeting.connect()
        const queued = framesOf([1, 20, 300, 4_000], 30)
        const release = signal()
        const heldFrames: Buffer[] = []
        held.accepted.subscribe((frame) => {
          heldFrames.push(frame)
          return release.promise
        })
        await inRings(engine, () => {
          for (const frame of there) unread.dialled.send(frame)
          for (const frame of back) unread.accepted.send(frame)
          for (const frame of queued) held.dialled.send(frame)
          return [...there, ...back, ...queued]
        })

        const receiving = await meeting.connect()
        const received = [receiving.dialled.receive(), receiving.accepted.receive()].map((promise) =>
          rejects(t, promise, 'ERR_SHARD_LOST'),
        )

        const looping = await meeting.connect()
        const taken = framesOf([3, 500], 40)
        const loop = readToFailure(looping.accepted)
        for (const frame of taken) looping.dialled.send(frame)
        await until(() => loop.frames.length === taken.length)

        const flooded = await meeting.connect()
        for (const frame of flood) flooded.dialled.send(frame)
        const ready = rejects(t, flooded.dialled.ready(), 'ERR_CLOSED')

        const ending = await meeting.connect()
        for (const frame of flood) ending.dialled.send(frame)
        const ended = ending.dialled.end()

        const closing = await meeting.connect()
        for (const frame of flood) closing.dialled.send(frame)
        const closedByClose = closing.dialled.close()

        const busy = await meeting.connect()
        const traffic = startTraffic(busy.dialled, busy.accepted)
        await until(() => traffic.echoes.length >= 20)

        const destroyed = await meeting.connect()
        const lost = nextEvent<{ error: Error }>('shard.lost')
        const struck = strike(engine, 0, fault)
        destroyed.dialled.destroy()
        await struck
        // A stuck shard is found by the work that it does not take up.
        if (fault === 'stuck') receiving.dialled.send('into the void')

        const { error } = await lost
        t.regex(String(error.cause), causes[fault])
        t.is(engine.stats().connections, 0)

        await Promise.all(received)
        t.is((await ready).cause instanceof Error, true)
        await ended
        t.is((await closedByClose).code, 'ERR_SHARD_LOST')

        // Whole frames, in order, then the error, as often as it is asked for.
        t.is(digestOf(await readAll(unread.accepted, t)), digestOf(there))
        t.is(digestOf(await readAll(unread.dialled, t)), digestOf(back))
        for (const [pair, name] of [
          [flooded, 'flooded'],
          [ending, 'ending'],
          [closing, 'closing'],
        ] as const) {
          const frames = await readAll(pair.accepted, t)
          t.true(frames.length > 0 && frames.length < flood.length, `${name}: ${String(frames.length)}`)
          t.is(digestOf(frames), digestOf(flood.slice(0, frames.length)), name)
        }
        t.is((await loop.over).code, 'ERR_SHARD_LOST')
        t.is(digestOf(loop.frames), digestOf(taken))
        t.is(digestOf(heldFrames), digestOf(queued.slice(0, 1)))
        release.resolve()
        await until(() => heldFrames.length === queued.length)
        t.is(digestOf(heldFrames), digestOf(queued))
        t.deepEqual(
          traffic.echoes,
          traffic.echoes.map((_, i) => `frame ${String(i)}`),
        )

        const pairs = [unread, held, receiving, looping, flooded, ending, closing, busy]
        for (const connection of pairs.flatMap(({ dialled, accepted }) => [dialled, accepted])) {
          const { code, cause } = await connection.closed
          t.is(code, 'ERR_SHARD_LOST')
          t.is((cause as { code?: unknown }).code, 'ERR_SHARD_LOST')
          t.regex(String(cause?.cause), causes[fault])
          throws(t, () => connection.send('too late'), 'ERR_CLOSED')
          await rejects(t, connection.ready(), 'ERR_CLOSED')
          await connection.end()
          t.is((await connection.close()).code, 'ERR_SHARD_LOST')
          connection.destroy()
          t.is(connection.pendingBytes, 0)
        }
        t.is((await destroyed.dialled.closed).code, 'ERR_ABORTED')
        log.stop()
        const told = log.of<ConnectionClosedEvent>('connection.closed')
        t.is(new Set(told.map(({ id }) => id)).size, told.length, 'each was told once')
        t.is(told.length, 2 * pairs.length + 2)
        const { lanes, regions, connections } = engine.stats().ledger.byKind
        for (const line of [lanes, regions, connections]) t.is(line.released, line.opened)
      },
    )
  }
}

/** Resolves when the shard has read everything that was sent. It stays in the rings, because nothing takes it. */
async function inRings(engine: Engine, sendSome: () => readonly Uint8Array[]): Promise<void> {
  const bytesRead = (): number => engine.stats().shards.reduce((sum, shard) => sum + shard.bytesRead, 0)
  const before = bytesRead()
  const bytes = sendSome().reduce((sum, { length }) => sum + length + 4, 0)
  await until(() => bytesRead() === before + bytes)
}

/** Takes what is left, which must end with ERR_SHARD_LOST and go on doing so. */
async function readAll(connection: Connection, t: Parameters<typeof rejects>[0]): Promise<Buffer[]> {
  const { frames, over } = readToFailure(connection)
  t.is((await over).code, 'ERR_SHARD_LOST')
  await rejects(t, connection.receive(), 'ERR_SHARD_LOST')
  return frames
}

function readToFailure(connection: Connection): {
  readonly frames: Buffer[]
  readonly over: Promise<{ readonly code: unknown }>
} {
  const frames: Buffer[] = []
  const read = async (): Promise<{ readonly code: unknown }> => {
    try {
      for await (const frame of connection) frames.push(frame)
    } catch (error) {
      return error as { readonly code: unknown }
    }
    return { code: 'OK' }
  }
  return { frames, over: read() }
}

/** Numbered frames there and back for as long as the connection carries them. */
function startTraffic(dialled: Connection, accepted: Connection): { readonly echoes: readonly string[] } {
  const echoes: string[] = []
  let sent = 0
  const send = (): void => void dialled.send(`frame ${String(sent++)}`)
  accepted.subscribe((frame) => accepted.send(frame), { borrow: true })
  dialled.subscribe((frame) => {
    echoes.push(String(frame))
    send()
  })
  for (let i = 0; i < 4; i++) send()
  return { echoes }
}
