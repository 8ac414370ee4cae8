/** The end of an engine whose shards serve connections: what is at work is waited for, and everything is released. */
import fs from 'node:fs'
import type { LedgerReport } from '../../api/index.js'
import type { Serving } from '../fixtures/handlers/commanded.js'
import { rejects } from '../helpers/expected-errors.js'
import { digestOf, framesOf, receiveToEnd, sendAll } from '../helpers/frames.js'
import { byLength } from '../helpers/length.js'
import { Random } from '../helpers/random.js'
import { turns } from '../helpers/turns.js'
import type { HandledTests } from './handled-listening.js'

/** How long handlers may take: longer than the watchdog lets a test run. */
const GRACE_MS = 60_000
const ROUNDS = byLength({ short: 40, long: 80 })

function unreleased({ byKind }: LedgerReport): string[] {
  return Object.entries(byKind).flatMap(([kind, { opened, released }]) => (opened === released ? [] : [kind]))
}

export function handledEndTests({ test, testIf, transport: subject }: HandledTests): void {
  test('a closed engine has released all that its shards had opened', async (t, world) => {
    const engine = await world.newEngine()
    const { place, transport, listener, api } = await world.serve('echo', { engine })
    const { socketFile } = place
    const dialled = await world.connect(transport)
    const idle = await world.connect(transport)
    const frames = framesOf([5, 3_000_000])
    const received: Buffer[] = []
    dialled.subscribe((frame) => received.push(frame))
    await sendAll(dialled, frames)
    await api.served(2)
    const ended = [api.ended(0), api.ended(1)].map((end) => end.catch((error: unknown) => error))
    // The machine may be too busy for what it has by default.
    const closing = engine.close({ graceMs: GRACE_MS })
    t.is(engine.close(), closing)
    const report = await closing
    t.deepEqual(unreleased(report), [])
    t.deepEqual(
      [report.byKind.connections.opened, report.byKind.lanes.opened, report.byKind.handlers.opened],
      [4, 4, 1],
    )
    t.is(report.byKind.listeners.opened, 1)
    if (socketFile !== undefined) t.false(fs.existsSync(socketFile))
    t.deepEqual(await listener.closed, { code: 'OK' })
    for (const connection of [dialled, idle]) {
      const { code } = await connection.closed
      t.true(code === 'OK' || code === 'ERR_RESET', code)
    }
    await Promise.all(ended)
    t.is(listener.stats().open, 0)
  })

  test('a listen that is pending when the engine closes rejects and leaves nothing', async (t, world) => {
    // Later and later: the close meets the listen at each of its steps.
    for (let delay = 0; delay < 12; delay++) {
      const engine = await world.newEngine()
      const place = await world.endpoint()
      const serving = world.serve('echo', { engine, place })
      const outcome = serving.then(
        () => undefined,
        (error: unknown) => error,
      )
      await turns(delay)
      t.deepEqual(unreleased(await engine.close()), [])
      const error = await outcome
      // The module may have been there, and gone again by the time that it is looked at.
      if (error !== undefined && (error as { code?: unknown }).code !== 'ERR_ENGINE_CLOSED')
        t.is((error as Error).message, 'the module serves on no shard')
      if (place.socketFile !== undefined) t.false(fs.existsSync(place.socketFile))
    }
  })

  test('connections that are destroyed while their rings grow give all their memory back', async (t, world) => {
    const engine = await world.newEngine()
    const { transport, listener, api } = await world.serve('count', { engine })
    const random = new Random(1)
    for (let round = 0; round < ROUNDS; round++) {
      const dialled = await world.connect(transport)
      for (let i = random.below(10); i > 0; i--) {
        dialled.send(Buffer.alloc(random.below(60_000)))
        await turns(random.below(2))
      }
      if (random.oneIn(2)) {
        await api.served(round + 1)
        await api.destroy(round)
      } else {
        dialled.destroy()
      }
      await Promise.all([dialled.closed, api.ended(round)])
    }
    t.is(listener.stats().accepted, ROUNDS)
    const { byKind } = await engine.close()
    t.is(byKind.regions.released, byKind.regions.opened)
    t.is(byKind.lanes.released, byKind.lanes.opened)
    t.is(byKind.connections.opened, 2 * ROUNDS)
  })

  // Both ends are closed at once: without half-close the first to finish cuts what the other still sends.
  const testHalfClose = testIf(subject.halfClose)

  testHalfClose('what a module sent before the engine closes arrives', async (t, world) => {
    const engine = await world.newEngine()
    const far = await world.newEngine()
    const isSeen = subject.kind !== 'memory'
    const { transport, api, place } = await world.serve('keep', { engine })
    const dialled = await world.connect(isSeen ? far.transport(place.endpoint) : transport)
    await api.served(1)
    const lengths = [100, 1_000_000, 7]
    const received = receiveToEnd(dialled)
    const sent = api.sendFrames(0, lengths, 1)
    await sent
    t.is((await engine.close({ graceMs: 20_000 })).leaked, 0)
    t.is(digestOf(await received), digestOf(framesOf(lengths)))
    t.deepEqual(await dialled.closed, { code: 'OK' })
  })

  test('graceMs bounds the wait for a peer that does not read', async (t, world) => {
    const engine = await world.newEngine({ maxRingBytes: 32_768 })
    const { transport, api } = await world.serve('keep', { engine })
    const dialled = await world.connect(transport)
    await api.served(1)
    const sending = api.sendFrames(0, Array<number>(500).fill(8192), 1).catch((error: unknown) => error)
    await api.served(1)
    t.is((await engine.close({ graceMs: 5 })).leaked, 0)
    await sending
    await dialled.closed
  })

  for (const serving of ['slow subscriber', 'slow subscriber that stops', 'slow loop', 'slow receive'] as const) {
    testHalfClose(`the reply arrives from a ${serving} that is at work when the engine closes`, async (t, world) => {
      const engine = await world.newEngine()
      const { transport, listener, api } = await world.serve(serving, { engine })
      const dialled = await world.connect(transport)
      const received = receiveToEnd(dialled)
      dialled.send('a question')
      await api.taken()
      const closing = engine.close({ graceMs: GRACE_MS })
      await listener.closed
      await turns(3)
      await api.go()
      t.deepEqual((await received).map(String), ['a question'])
      await dialled.close()
      t.is((await closing).leaked, 0)
    })
  }

  testHalfClose('frames that arrived before the engine closes are delivered and answered', async (t, world) => {
    const engine = await world.newEngine()
    const { transport, listener, api } = await world.serve('slow subscriber', { engine })
    const dialled = await world.connect(transport)
    const received = receiveToEnd(dialled)
    const frames = framesOf([10, 20, 30])
    // In one turn, and so in one write: the first is taken only when all are there.
    for (const frame of frames) dialled.send(frame)
    await api.taken()
    const closing = engine.close({ graceMs: GRACE_MS })
    await listener.closed
    await turns(3)
    await api.go()
    t.is(digestOf(await received), digestOf(frames))
    await dialled.close()
    t.is((await closing).leaked, 0)
  })

  testHalfClose('modules that wait for their peers do not delay the end of an engine', async (t, world) => {
    const ways: readonly Serving[] = ['idle loop', 'idle receive', 'idle closed']
    const engine = await world.newEngine()
    const served = await Promise.all(ways.map((way) => world.serve(way, { engine })))
    const dialled = await Promise.all(served.map(({ transport }) => world.connect(transport)))
    for (const { api } of served) await api.served(1)
    // If close() waited for any of them, the test would run into its watchdog.
    t.is((await engine.close({ graceMs: GRACE_MS })).leaked, 0)
    for (const connection of dialled) t.deepEqual(await connection.closed, { code: 'OK' })
  })

  test('graceMs bounds the wait for a module that never settles', async (t, world) => {
    const engine = await world.newEngine()
    const { transport, api } = await world.serve('stuck', { engine })
    const stuck = await world.connect(transport)
    stuck.send('a question')
    await api.taken()
    t.is((await engine.close({ graceMs: 5 })).leaked, 0)
    await stuck.closed
  })

  test('closing an engine ends what waits on it', async (t, world) => {
    const engine = await world.newEngine()
    const { transport, api } = await world.serve('stuck', { engine })
    const dialled = await world.connect(transport)
    const receiving = dialled.receive()
    const waiting = rejects(t, api.taken(), 'ERR_CLOSED')
    await turns()
    await engine[Symbol.asyncDispose]()
    t.is(await receiving, undefined)
    await waiting
  })
}
