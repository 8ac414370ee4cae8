/** The answers of a shard to main's calls, over memory endpoints, with a main that is the test. */
import test, { type ExecutionContext } from 'ava'
import { AcceptCounts, AcceptLogReader, AcceptLogWriter, createAcceptLog } from '../../engine/protocol/accept-log.js'
import type { Outcome } from '../../engine/protocol/errors.js'
import { lane, life } from '../../engine/protocol/ring-layout.js'
import { ShardDescriptors } from '../../workers/descriptors.js'
import { Surplus } from '../../workers/accepting/surplus.js'
import { ShardListeners } from '../../workers/accepting/shard-listeners.js'
import { ControlServer } from '../../workers/control-server.js'
import { servedModules } from '../helpers/served-modules.js'
import { MainSide, type MainLane } from '../helpers/main-side.js'
import { randomName } from '../helpers/temporary-folder.js'
import { turns } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { specOf } from '../helpers/wire-bytes.js'

failOnWarnings()

const LISTENER = 7
const framing = specOf('length')

class Rig {
  readonly main = new MainSide()
  readonly target = { kind: 'memory', name: randomName() } as const
  readonly accepted: number[] = []
  readonly paused: number[] = []
  stops = 0
  readonly counts = new AcceptCounts()
  readonly server: ControlServer
  readonly #log: AcceptLogReader

  constructor(t: ExecutionContext) {
    const log = createAcceptLog()
    this.#log = new AcceptLogReader(log)
    const callbacks = {
      accepted: (_: number, acceptIds: readonly number[]) => void this.accepted.push(...acceptIds),
      paused: (listenerId: number) => void this.paused.push(listenerId),
      listenerFailed: () => t.fail(),
      served: () => t.fail(),
      releaseStdio: () => Promise.resolve(),
      handOn: () => Promise.resolve([]),
    }
    const { pumps, bell, load } = this.main
    const descriptors = new ShardDescriptors()
    const surplus = new Surplus(load, descriptors, callbacks)
    const writer = new AcceptLogWriter(log)
    const listeners = new ShardListeners(pumps, bell, writer, callbacks, descriptors, load, surplus)
    const served = servedModules(callbacks, descriptors)
    this.server = new ControlServer(pumps, listeners, served, descriptors, callbacks, () => {
      this.stops++
    })
    t.teardown(() => this.server.unlisten(LISTENER))
  }

  listen(maxQueued = 16): Promise<Outcome> {
    const { target, counts } = this
    return this.server.listen({ listenerId: LISTENER, target, backlog: 1, framing, maxQueued, counts: counts.words })
  }

  async dial(): Promise<{ readonly outcome: Outcome; readonly lane: MainLane }> {
    const mainLane = this.main.takeLane()
    const request = { lane: mainLane.grant, target: this.target, framing, timeoutMs: 0 }
    return { outcome: await this.server.dial(request), lane: mainLane }
  }

  /** Lanes that the log says carry an accepted connection. */
  get logged(): readonly number[] {
    const ids: number[] = []
    this.#log.read((listenerId, laneId) => ids.push(listenerId === LISTENER ? laneId : -1))
    return ids
  }
}

test('a dial that fails is answered with its code, and its lane was never used', async (t) => {
  const rig = new Rig(t)
  const { outcome, lane: mainLane } = await rig.dial()
  t.is(outcome.ok ? '' : outcome.error.code, 'ERR_NOT_FOUND')
  t.is(mainLane.load(lane.LIFE), life.DETACHED)
  t.is(rig.main.pumps.writerOf(mainLane.grant.id), undefined, 'it has no pump')
})

test('a connection is accepted into a lane of the stock at once, and bytes pass without another call', async (t) => {
  const rig = new Rig(t)
  const lent = rig.main.takeLane()
  rig.server.lend([lent.grant])
  t.true((await rig.listen()).ok)
  const { outcome, lane: dialled } = await rig.dial()
  t.true(outcome.ok)
  t.deepEqual(rig.logged, [lent.grant.id])
  t.deepEqual(rig.server.giveBack(), [], 'the stock is used up')
  dialled.send('hello')
  rig.main.pumps.onNotify(dialled.grant.id)
  await turns()
  t.is(lent.receive(), 'hello')
})

test('a connection without a lane waits until main adopts it, and one that is gone leaves its lane to main', async (t) => {
  const rig = new Rig(t)
  rig.server.lend([])
  await rig.listen()
  const { outcome } = await rig.dial()
  t.true(outcome.ok)
  await turns()
  const [acceptId = 0] = rig.accepted
  const mine = rig.main.takeLane()
  const spare = rig.main.takeLane()
  const adoptions = [mine, spare].map(({ grant }) => ({ acceptId, lane: grant }))
  t.deepEqual(rig.server.adopt(adoptions), [spare.grant.id])
  t.is(mine.load(lane.LIFE), life.ATTACHED)
})

test('a connection that main rejects is closed', async (t) => {
  const rig = new Rig(t)
  rig.server.lend([])
  await rig.listen()
  const { lane: dialled } = await rig.dial()
  await turns()
  rig.server.reject(rig.accepted)
  await turns()
  t.is(dialled.load(lane.LIFE), life.CLOSED)
})

test('a listener that is full says so, and resumeListening() lets it go on', async (t) => {
  const rig = new Rig(t)
  rig.server.lend([])
  await rig.listen(1)
  await rig.dial()
  t.deepEqual(rig.paused, [LISTENER])
  await rig.dial()
  await turns()
  t.is(rig.accepted.length, 1, 'the second waits in the backlog')
  rig.counts.addTaken()
  t.true((await rig.server.resumeListening(LISTENER, rig.target)).ok)
  await turns()
  t.is(rig.accepted.length, 2)
})

test('an address that is taken is an answer, and lanes that are not used go back', async (t) => {
  const rig = new Rig(t)
  await rig.listen()
  const other = await rig.server.listen({
    listenerId: LISTENER + 1,
    target: rig.target,
    backlog: 1,
    framing,
    maxQueued: 1,
    counts: new AcceptCounts().words,
  })
  t.is(other.ok ? '' : other.error.code, 'ERR_ADDRESS_IN_USE')
  const lent = rig.main.takeLane()
  rig.server.lend([lent.grant])
  t.deepEqual(rig.server.giveBack(), [lent.grant.id])
})

test('stop() destroys what is open, and says so', async (t) => {
  const rig = new Rig(t)
  rig.server.lend([rig.main.takeLane().grant])
  await rig.listen()
  const { lane: dialled } = await rig.dial()
  rig.server.stop()
  t.is(rig.stops, 1)
  await turns()
  t.is(dialled.load(lane.LIFE), life.CLOSED)
})
