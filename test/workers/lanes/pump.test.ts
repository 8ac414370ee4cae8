/** The pump of a real lane, over a wire that does what the test says, with a main that is the test. */
import test from 'ava'
import fc from 'fast-check'
import { FramingFault, framingFaults } from '../../../engine/protocol/framing.js'
import { failureCalls, inState, intent, lane, life, outState } from '../../../engine/protocol/ring-layout.js'
import type { Role, TransportKind } from '../../../engine/protocol/target.js'
import type { Pump } from '../../../workers/lanes/pump.js'
import { MAX_TRIED_BYTES, type Wire } from '../../../workers/wire.js'
import { MainSide, type MainLane } from '../../helpers/main-side.js'
import { holds } from '../../helpers/property.js'
import { turns } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

/** Remembers what it was asked for, and does nothing by itself. */
class FakeWire implements Wire {
  leave?: () => void = () => {
    this.calls.push('leave')
  }
  readonly calls: string[] = []
  /** Bytes that the kernel would take at once. */
  room = 0
  /** Before any of it is taken. */
  onTry: () => void = () => undefined

  resume(): void {
    this.calls.push('resume')
  }

  tryWrite(bytes: Uint8Array, offset: number, length: number): number {
    this.onTry()
    const taken = Math.min(length, this.room)
    this.room -= taken
    if (taken > 0) this.calls.push(`took ${String(Buffer.from(bytes.subarray(offset, offset + taken)))}`)
    return taken
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

function attached(kind: TransportKind = 'unix', role: Role = 'dialled', ringBytes?: number): Rig {
  const main = new MainSide()
  const mainLane = main.takeLane(ringBytes)
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

test('bytes that the kernel takes at once are free at once', (t) => {
  const { lane: mainLane, wire, notify } = attached()
  wire.take()
  wire.room = 100
  mainLane.send('hello')
  let before: readonly number[] = []
  wire.onTry = () => (before = [mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)])
  notify()
  t.deepEqual(before, [5, 0], 'SENT is there before the first byte can leave')
  t.deepEqual(wire.take(), ['took hello'])
  t.deepEqual([mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)], [5, 5])
  t.is(mainLane.load(lane.OUT_NOTIFY), 1, 'the shard waits for bytes')
  mainLane.send('again')
  notify()
  t.deepEqual(wire.take(), ['took again'])
})

test('what the kernel leaves of a try is written, and nothing is tried meanwhile', (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  wire.take()
  wire.room = 2
  mainLane.send('hello')
  notify()
  t.deepEqual(wire.take(), ['took he', 'write llo'])
  t.deepEqual([mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)], [5, 2])
  wire.room = 100
  mainLane.send('again')
  notify()
  t.deepEqual(wire.take(), [])
  t.deepEqual([mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)], [5, 2])
  pump.onWritten()
  t.deepEqual(wire.take(), ['took again'])
  t.deepEqual([mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)], [10, 10])
})

test('what is large is not tried', (t) => {
  const { lane: mainLane, wire, notify } = attached('unix', 'dialled', 32_768)
  wire.take()
  wire.room = 100_000
  const large = 'x'.repeat(MAX_TRIED_BYTES + 1)
  mainLane.send(large)
  notify()
  t.deepEqual(wire.take(), [`write ${large}`])
})

test('bytes that wrap around the end of the ring are tried in two pieces', (t) => {
  const { lane: mainLane, wire, notify } = attached()
  wire.room = 10_000
  mainLane.send('x'.repeat(4090))
  notify()
  wire.take()
  mainLane.send('wrapped around')
  notify()
  t.deepEqual(wire.take(), ['took wrappe', 'took d around'])
  t.deepEqual([mainLane.load(lane.OUT_SENT), mainLane.load(lane.OUT_HEAD)], [4104, 4104])
})

test('a main that publishes as fast as the kernel takes it lets others have their turn', async (t) => {
  const { lane: mainLane, wire, notify } = attached()
  wire.room = 1_000_000
  let tries = 0
  let more = true
  wire.onTry = () => {
    tries++
    if (more) mainLane.send('more')
  }
  mainLane.send('first')
  notify()
  const inOneGo = tries
  t.true(inOneGo < 100, `${String(inOneGo)} tries in one go`)
  notify()
  t.is(tries, inOneGo, 'a notification does not make it go on')
  await turns()
  t.true(tries > inOneGo, 'it goes on in the next turn')
  t.true(tries <= 2 * inOneGo)
  more = false
  await turns()
  t.is(mainLane.load(lane.OUT_HEAD), 5 + 4 * inOneGo * 2)
  t.is(mainLane.load(lane.OUT_NOTIFY), 1, 'the shard waits for bytes')
})

test('a wire whose writes complete at once lets others have their turn, too', async (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  let writes = 0
  wire.write = () => {
    if (++writes === 1000) return
    mainLane.send('more')
    queueMicrotask(() => pump.onWritten())
  }
  mainLane.send('first')
  notify()
  await turns()
  const inOneGo = writes
  t.true(inOneGo < 100, `${String(inOneGo)} writes before others had their turn`)
  await turns()
  t.true(writes > inOneGo, 'it goes on in the next turn')
})

test('a wire that closes while others have their turn is not written to any more', async (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  wire.room = 1_000_000
  wire.onTry = () => mainLane.send('more')
  mainLane.send('first')
  notify()
  wire.take()
  mainLane.store(lane.OUT_INTENT, intent.DESTROY)
  notify()
  t.deepEqual(wire.take(), ['destroy'])
  pump.onClose(undefined)
  const head = mainLane.load(lane.OUT_HEAD)
  await turns(2)
  t.deepEqual(wire.take(), [])
  t.is(mainLane.load(lane.OUT_HEAD), head)
})

function written(pump: Pump): Promise<void> {
  pump.onWritten()
  return Promise.resolve()
}

for (const { name, room, goOn } of [
  { name: 'while others have their turn', room: 1_000_000, goOn: () => turns(2) },
  { name: 'while a write is in flight', room: 0, goOn: written },
]) {
  test(`a wire that is destroyed ${name} is not given what is left`, async (t) => {
    const { lane: mainLane, pump, wire, notify } = attached()
    wire.take()
    wire.room = room
    wire.onTry = () => mainLane.send('more')
    mainLane.send('first')
    notify()
    wire.take()
    const sent = mainLane.load(lane.OUT_SENT)
    mainLane.store(lane.OUT_INTENT, intent.DESTROY)
    notify()
    await goOn(pump)
    t.deepEqual(wire.take(), ['destroy'])
    t.is(mainLane.load(lane.OUT_SENT), sent, 'what was not handed over is known to be unsent')
  })
}

test('a shard that stops gives its wires nothing more', async (t) => {
  const { main, lane: mainLane, wire, notify } = attached()
  wire.room = 1_000_000
  wire.onTry = () => mainLane.send('more')
  mainLane.send('first')
  notify()
  wire.take()
  main.pumps.destroyAll()
  await turns(2)
  t.deepEqual(wire.take(), ['destroy'])
})

test('main is notified of the room that a try has made', (t) => {
  const { main, lane: mainLane, wire, notify } = attached()
  wire.room = 5
  mainLane.send('hello, world')
  mainLane.store(lane.OUT_SPACE_AT, 5)
  mainLane.store(lane.OUT_SPACE, 1)
  notify()
  t.deepEqual(main.takeNotified(), [mainLane.grant.id])
  t.is(mainLane.load(lane.OUT_SPACE), 0)
})

test('bytes arrive once and in order, whatever the kernel takes of them', (t) => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('send' as const), bytes: fc.nat(3000) }),
      fc.record({ kind: fc.constant('room' as const), bytes: fc.oneof(fc.nat(10), fc.nat(5000)) }),
      fc.record({ kind: fc.constantFrom('notify' as const, 'written' as const) }),
    ),
    { maxLength: 60 },
  )
  holds(
    t,
    fc.property(steps, (list) => {
      const { lane: mainLane, pump, wire, notify } = attached()
      wire.take()
      let sent = ''
      let arrived = ''
      let inFlight = ''
      const look = (): void => {
        for (const call of wire.take()) {
          const text = call.slice('took '.length)
          if (call.startsWith('took ')) {
            if (inFlight !== '') throw new Error('a try during a write')
            arrived += text
          } else {
            if (inFlight !== '') throw new Error('two writes at once')
            inFlight = call.slice('write '.length).replace('|', '')
          }
        }
        if (mainLane.load(lane.OUT_HEAD) !== arrived.length) throw new Error('HEAD is not what has left')
        if (mainLane.load(lane.OUT_SENT) < arrived.length + inFlight.length) throw new Error('SENT is behind')
        if (mainLane.load(lane.OUT_SENT) > sent.length) throw new Error('SENT is beyond what was sent')
      }
      const written = (): void => {
        if (inFlight === '') return
        arrived += inFlight
        inFlight = ''
        pump.onWritten()
      }
      for (const step of list) {
        if (step.kind === 'send') {
          const text = Array.from({ length: Math.min(step.bytes, mainLane.room) }, (_, i) =>
            String.fromCharCode(97 + ((sent.length + i) % 23)),
          ).join('')
          mainLane.send(text)
          sent += text
        } else if (step.kind === 'room') {
          wire.room = step.bytes
        } else if (step.kind === 'notify') {
          notify()
        } else {
          written()
        }
        look()
      }
      wire.room = 0
      notify()
      look()
      for (let i = 0; inFlight !== '' && i < 100; i++) {
        written()
        look()
      }
      return arrived === sent
    }),
    200,
  )
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

test('the end ends the wire after a try as after a write', (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  wire.take()
  wire.room = 100
  mainLane.send('last')
  mainLane.store(lane.OUT_INTENT, intent.END)
  notify()
  t.deepEqual(wire.take(), ['took last', 'end'])
  t.is(mainLane.load(lane.OUT_STATE), outState.OPEN)
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

test('a wire is left once all that was sent has left', (t) => {
  const { lane: mainLane, pump, wire, notify } = attached()
  wire.take()
  mainLane.send('last')
  mainLane.store(lane.OUT_INTENT, intent.LEAVE)
  notify()
  t.deepEqual(wire.take(), ['write last'])
  pump.onWritten()
  t.deepEqual(wire.take(), ['leave'])
  notify()
  t.deepEqual(wire.take(), [])
  pump.onClose(undefined)
  t.deepEqual([mainLane.load(lane.LIFE), mainLane.load(lane.OUT_STATE)], [life.CLOSED, outState.OPEN])
})

test('a wire that cannot be left is destroyed', (t) => {
  const { lane: mainLane, wire, notify } = attached()
  delete wire.leave
  wire.take()
  mainLane.store(lane.OUT_INTENT, intent.LEAVE)
  notify()
  t.deepEqual(wire.take(), ['destroy'])
})

test('a wire whose peer takes nothing is not left, and can be destroyed', (t) => {
  const { lane: mainLane, wire, notify } = attached()
  wire.take()
  mainLane.send('stuck')
  mainLane.store(lane.OUT_INTENT, intent.LEAVE)
  notify()
  mainLane.store(lane.OUT_INTENT, intent.DESTROY)
  notify()
  t.deepEqual(wire.take(), ['write stuck', 'destroy'])
})
