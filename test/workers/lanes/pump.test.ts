/** The pump of a real lane, over a wire that does what the test says, with a main that is the test. */
import test from 'ava'
import { FramingFault, framingFaults } from '../../../engine/protocol/framing.js'
import { failureCalls, inState, intent, lane, life, outState } from '../../../engine/protocol/ring-layout.js'
import type { Role, TransportKind } from '../../../engine/protocol/target.js'
import type { Pump } from '../../../workers/lanes/pump.js'
import type { Wire } from '../../../workers/wire.js'
import { MainSide, type MainLane } from '../../helpers/main-side.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

/** Remembers what it was asked for, and does nothing by itself. */
class FakeWire implements Wire {
  readonly calls: string[] = []

  resume(): void {
    this.calls.push('resume')
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    const segments = second === undefined ? [first] : [first, second]
    this.calls.push(`write ${segments.map((segment) => String(Buffer.from(segment))).join('|')}`)
  }

  end(): void {
    this.calls.push('end')
  }

  destroy(): void {
    this.calls.push('destroy')
  }

  take(): readonly string[] {
    return this.calls.splice(0)
  }
}

interface Rig {
  readonly main: MainSide
  readonly lane: MainLane
  readonly pump: Pump
  readonly wire: FakeWire
  readonly notify: () => void
}

function attached(kind: TransportKind = 'unix', role: Role = 'dialled'): Rig {
  const main = new MainSide()
  const mainLane = main.takeLane()
  const { id } = mainLane.grant
  const pump = main.pumps.open(id, role, kind)
  const wire = new FakeWire()
  pump.attach(wire)
  return { main, lane: mainLane, pump, wire, notify: () => main.pumps.onNotify(id) }
}

/** What the kernel would do with the view. */
function read(pump: Pump, text: string): boolean {
  return pump.onRead(pump.readView().write(text))
}

test('a wire that is attached reads, and the lane says that it is attached', (t) => {
  const { lane: mainLane, wire } = attached()
  t.deepEqual(wire.take(), ['resume'])
  t.is(mainLane.load(lane.LIFE), life.ATTACHED)
})

test('a notification of a lane without a pump is ignored', (t) => {
  t.notThrows(() => {
    new MainSide().pumps.onNotify(3)
  })
})

test('bytes are handed to the kernel once, and are free when they are written', (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  wire.take()
  t.is(mainLane.load(lane.OUT_NOTIFY), 1, 'the shard waits for bytes')
  mainLane.send('hello')
  notify()
  notify()
  t.deepEqual(wire.take(), ['write hello'])
  t.deepEqual([mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)], [5, 0])
  mainLane.send('again')
  pump.onWritten()
  t.deepEqual(wire.take(), ['write again'])
  t.deepEqual([mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)], [10, 5])
})

test('bytes that wrap around the end of the ring are one write of two segments', (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  mainLane.send('x'.repeat(4090))
  notify()
  pump.onWritten()
  wire.take()
  mainLane.send('wrapped around')
  notify()
  t.deepEqual(wire.take(), ['write wrappe|d around'])
})

test('main is notified of room at the position that it asked for', (t) => {
  const { main, lane: mainLane, pump, notify } = attached()
  mainLane.send('hello')
  notify()
  mainLane.store(lane.OUT_SPACE_AT, 5)
  mainLane.store(lane.OUT_SPACE, 1)
  t.deepEqual(main.takeNotified(), [])
  pump.onWritten()
  t.deepEqual(main.takeNotified(), [mainLane.grant.id])
})

test('what is read is published, and main is notified once for what it waits for', (t) => {
  const { main, lane: mainLane, pump } = attached()
  t.true(read(pump, 'one'))
  t.deepEqual(main.takeNotified(), [mainLane.grant.id])
  t.true(read(pump, 'two'))
  t.deepEqual(main.takeNotified(), [], 'main has not armed again')
  t.is(mainLane.receive(), 'onetwo')
})

test('reading stops when there is no room, and goes on when main has made some', (t) => {
  const { main, lane: mainLane, pump, wire, notify } = attached()
  wire.take()
  let sent = 0
  for (let goesOn = true; goesOn;) {
    const view = pump.readView()
    sent += view.length
    goesOn = pump.onRead(view.fill('x').length)
  }
  t.is(mainLane.load(lane.IN_SPACE), 1)
  t.is(mainLane.load(lane.IN_GROW), 1, 'a larger ring is asked for')
  t.deepEqual(main.takeNotified(), [mainLane.grant.id])
  notify()
  t.deepEqual(wire.take(), [], 'main has made no room')
  t.is(mainLane.receive().length, sent)
  notify()
  t.deepEqual(wire.take(), ['resume'])
  t.true(read(pump, 'more'))
  t.is(mainLane.receive(), 'more')
})

test('the end of what main sends ends the wire when all has left', (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  mainLane.send('last')
  mainLane.store(lane.OUT_INTENT, intent.END)
  notify()
  t.deepEqual(wire.take(), ['resume', 'write last'])
  pump.onWritten()
  t.deepEqual(wire.take(), ['end'])
  pump.onFinished()
  t.is(mainLane.load(lane.OUT_STATE), outState.ENDED)
})

test('without half-close END leaves the wire open and only CLOSE ends it', (t) => {
  const { lane: mainLane, wire, notify } = attached('pipe')
  wire.take()
  mainLane.store(lane.OUT_INTENT, intent.END)
  notify()
  t.deepEqual(wire.take(), [])
  t.is(mainLane.load(lane.OUT_STATE), outState.ENDED)
  mainLane.store(lane.OUT_INTENT, intent.CLOSE)
  notify()
  t.deepEqual(wire.take(), ['end'])
})

test('DESTROY destroys the wire, whatever is left to write', (t) => {
  const { lane: mainLane, wire, notify } = attached()
  wire.take()
  mainLane.send('unwanted')
  mainLane.store(lane.OUT_INTENT, intent.DESTROY)
  notify()
  t.deepEqual(wire.take(), ['destroy'])
})

const reset = Object.assign(new Error('read ECONNRESET'), { errno: -104, syscall: 'read' })
const ends = [
  { name: 'without an error', error: undefined, failure: 0, call: 'unknown' },
  { name: 'with an error of the system', error: reset, failure: 104, call: 'read' },
  {
    name: 'with a fault of the framing',
    error: new FramingFault('ERR_TRUNCATED'),
    failure: -1 - framingFaults.indexOf('ERR_TRUNCATED'),
    call: 'unknown',
  },
] as const

for (const { name, error, failure, call } of ends) {
  test(`a wire that closes ${name} closes the lane, says why, and the pump is gone`, (t) => {
    const { main, lane: mainLane, pump, wire, notify } = attached()
    pump.onEnd()
    pump.onClose(error)
    t.is(mainLane.load(lane.IN_STATE), inState.ENDED)
    t.is(mainLane.load(lane.LIFE), life.CLOSED)
    t.deepEqual([mainLane.load(lane.FAILURE), failureCalls[mainLane.load(lane.FAILURE_CALL)]], [failure, call])
    t.deepEqual(main.takeNotified(), [mainLane.grant.id])
    wire.take()
    notify()
    main.pumps.destroyAll()
    t.deepEqual(wire.take(), [])
  })
}

test('main learns of bytes that the framing holds back only when it has asked', (t) => {
  const { main, lane: mainLane, pump } = attached()
  pump.onHeldBack(true)
  t.deepEqual([mainLane.load(lane.IN_HELD), ...main.takeNotified()], [1])
  pump.onHeldBack(false)
  mainLane.store(lane.IN_GUARD, 1)
  pump.onHeldBack(true)
  t.deepEqual([mainLane.load(lane.IN_HELD), ...main.takeNotified()], [1, mainLane.grant.id])
})
