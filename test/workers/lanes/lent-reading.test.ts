/** How a pump lends the reading of its wire to main, and goes on with it, with a main that is the test. */
import test from 'ava'
import { failureCalls, intent, lane, life } from '../../../engine/protocol/ring-layout.js'
import type { Pump } from '../../../workers/lanes/pump.js'
import type { Wire } from '../../../workers/wire.js'
import { interleave } from '../../helpers/atomics-hook.js'
import { MainSide, type MainLane } from '../../helpers/main-side.js'
import { Random, testSeed } from '../../helpers/random.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

const ASK = 7
const RING_BYTES = 4_096
/** What the shard reads beside the ring at most, when main has given the reading back. */
const ASIDE_BYTES = 1_024

class FakeWire implements Wire {
  readonly calls: string[] = []
  hasDuplicate = true

  resume(): void {
    this.calls.push('resume')
  }

  tryWrite(): number {
    return 0
  }

  write(): void {
    this.calls.push('write')
  }

  end(): void {
    this.calls.push('end')
  }

  destroy(): void {
    this.calls.push('destroy')
  }

  isDuplicated(): boolean {
    return this.hasDuplicate
  }

  take(): readonly string[] {
    return this.calls.splice(0)
  }
}

class Rig {
  readonly main = new MainSide()
  readonly lane: MainLane
  readonly pump: Pump
  readonly wire = new FakeWire()

  constructor(ringBytes = RING_BYTES) {
    this.lane = this.main.takeLane(ringBytes)
    this.pump = this.main.pumps.open(this.lane.grant.id, 'dialled', 'unix')
    this.pump.attach(this.wire)
    this.wire.take()
  }

  /** What the kernel would do with the view. False: the shard reads no more. */
  read(text: string): boolean {
    return this.pump.onRead(this.pump.readView().write(text, 'latin1'))
  }

  lend(ask = ASK): void {
    this.lane.store(lane.IN_READER, ask)
    this.read('lent')
    this.lane.receive()
    this.main.takeNotified()
  }

  /** What main has read by its duplicate. */
  readByMain(text: string): void {
    const ring = this.lane.inProducer()
    ring.write(Buffer.from(text, 'latin1'), 0, text.length)
    ring.publish()
  }

  giveBack(): void {
    this.lane.store(lane.IN_READER, 0)
    this.notify()
  }

  notify(): void {
    this.main.pumps.onNotify(this.lane.grant.id)
  }

  get lentFor(): number {
    return this.lane.load(lane.IN_LENT)
  }
}

test('a pump lends the reading to main behind what it has read, and tells it so', (t) => {
  const rig = new Rig()
  t.true(rig.read('before'))
  rig.main.takeNotified()
  rig.lane.store(lane.IN_READER, ASK)
  t.is(rig.lentFor, 0)
  // Nobody waits for a byte, and still main must know.
  rig.lane.store(lane.IN_NOTIFY, 0)
  t.false(rig.read(' and after'))
  t.is(rig.lentFor, ASK)
  t.deepEqual(rig.main.takeNotified(), [rig.lane.grant.id])
  t.is(rig.lane.receive(), 'before and after')
})

for (const [what, prepare] of [
  ['main does not ask', (rig: Rig) => rig.lane.store(lane.IN_READER, 0)],
  ['main has taken the ask back', (rig: Rig) => rig.giveBack()],
  ['there is no duplicate', (rig: Rig) => (rig.wire.hasDuplicate = false)],
  [
    'this side ends',
    (rig: Rig) => {
      rig.lane.store(lane.OUT_INTENT, intent.END)
      rig.notify()
    },
  ],
] as const) {
  test(`a pump goes on reading if ${what}`, (t) => {
    const rig = new Rig()
    rig.lane.store(lane.IN_READER, ASK)
    prepare(rig)
    t.true(rig.read('one'))
    t.true(rig.read(' two'))
    t.deepEqual([rig.lentFor, rig.lane.receive()], [0, 'one two'])
  })
}

test('a read that fills its view is not the last one of many, and nothing is lent behind it', (t) => {
  const rig = new Rig()
  rig.lane.store(lane.IN_READER, ASK)
  rig.read('f'.repeat(RING_BYTES))
  t.is(rig.lentFor, 0)
})

test('while the reading is lent the pump touches neither ring nor wire, whatever it is notified of', (t) => {
  const rig = new Rig()
  rig.lend()
  rig.readByMain('by main')
  rig.notify()
  t.is(rig.lane.receive(), 'by main')
  rig.notify()
  t.deepEqual(rig.wire.take(), [])
  t.is(rig.lentFor, ASK)
})

test('what was lent and is given back is read on behind what main has read', (t) => {
  const rig = new Rig()
  rig.lend()
  rig.readByMain('m'.repeat(3_000))
  t.is(rig.lane.receive(), 'm'.repeat(3_000))
  rig.readByMain('main, ')
  rig.giveBack()
  t.deepEqual(rig.wire.take(), ['resume'])
  t.is(rig.lentFor, 0)
  t.true(rig.read('shard, '))
  t.true(rig.read('shard again'))
  t.is(rig.lane.receive(), 'main, shard, shard again')
})

test('the first read after that goes round the end of the ring as any other', (t) => {
  const rig = new Rig()
  rig.lend()
  rig.readByMain('m'.repeat(RING_BYTES - 10))
  rig.lane.receive()
  rig.giveBack()
  const text = 'w'.repeat(ASIDE_BYTES - 1)
  t.true(rig.read(text))
  t.true(rig.read('behind'))
  t.is(rig.lane.receive(), `${text}behind`)
})

test('an ask that was taken back is answered in vain: the pump reads on once it hears of it', (t) => {
  const rig = new Rig()
  rig.lend()
  // Main has asked anew meanwhile, and takes no answer to the first ask for one to the second.
  rig.lane.store(lane.IN_READER, ASK + 1)
  rig.notify()
  t.deepEqual([rig.lentFor, rig.wire.take()], [0, ['resume']])
  t.false(rig.read('next'))
  t.is(rig.lentFor, ASK + 1)
})

test('without room for the first read the pump waits, and reads on once there is some', (t) => {
  const rig = new Rig()
  rig.lend()
  rig.readByMain('m'.repeat(RING_BYTES - 100))
  rig.giveBack()
  t.deepEqual([rig.lentFor, rig.wire.take()], [0, []])
  t.is(rig.lane.load(lane.IN_SPACE), 1)
  rig.notify()
  t.deepEqual(rig.wire.take(), [])
  rig.lane.receive()
  rig.notify()
  t.deepEqual(rig.wire.take(), ['resume'])
  t.true(rig.read('at last'))
  t.is(rig.lane.receive(), 'at last')
})

test('an error that main has read ends the lane as one that the shard has read', (t) => {
  const rig = new Rig()
  rig.lend()
  rig.lane.store(lane.IN_READ_FAILURE, 104)
  rig.giveBack()
  t.deepEqual(rig.wire.take(), ['destroy'])
  // What it has broken since.
  rig.pump.onClose(Object.assign(new Error('shutdown ENOTCONN'), { errno: -107, syscall: 'shutdown' }))
  t.deepEqual(
    [lane.LIFE, lane.FAILURE, lane.FAILURE_CALL].map((word) => rig.lane.load(word)),
    [life.CLOSED, 104, failureCalls.indexOf('read')],
  )
})

test('a lane that is destroyed while its reading is lent is closed at once', (t) => {
  const rig = new Rig()
  rig.lend()
  rig.lane.store(lane.OUT_INTENT, intent.DESTROY)
  rig.notify()
  t.deepEqual(rig.wire.take(), ['destroy'])
  rig.pump.onClose(undefined)
  t.is(rig.lane.load(lane.LIFE), life.CLOSED)
})

for (const [what, next] of [
  ['takes its ask back', 0],
  ['takes its ask back and asks anew', ASK + 1],
] as const) {
  test.serial(`whenever main ${what} while the pump reads, the pump reads on once it hears of it`, (t) => {
    const places = interleave(() => {
      const rig = new Rig()
      rig.lane.store(lane.IN_READER, ASK)
      let isReading = true
      return {
        work: () => {
          isReading = rig.read('read')
        },
        intrusion: () => {
          rig.lane.store(lane.IN_READER, 0)
          if (next !== 0) rig.lane.store(lane.IN_READER, next)
        },
        check: (at) => {
          rig.notify()
          if (rig.wire.take().includes('resume')) isReading = true
          const isMainsNow = next !== 0 && rig.lentFor === next
          t.true(isReading !== isMainsNow, `place ${String(at)}`)
          t.true(isReading || isMainsNow, `place ${String(at)}`)
          t.is(rig.lane.receive(), 'read')
        },
      }
    })
    t.true(places > 3)
  })

  test.serial(`whenever main ${what} while the pump looks at what it has lent, one of them reads`, (t) => {
    interleave(() => {
      const rig = new Rig()
      rig.lend()
      return {
        work: () => rig.notify(),
        intrusion: () => {
          rig.readByMain('by main')
          rig.lane.store(lane.IN_READER, next)
        },
        check: (at) => {
          rig.notify()
          t.deepEqual(rig.wire.take(), ['resume'], `place ${String(at)}`)
          t.is(rig.lentFor, 0)
          rig.read(', by the shard')
          t.is(rig.lane.receive(), 'by main, by the shard', `place ${String(at)}`)
        },
      }
    })
  })
}

const seed = testSeed()

test(`whoever reads, and however often that changes, all comes in its order (seed ${String(seed)})`, (t) => {
  for (const ringBytes of [RING_BYTES, 8_192]) {
    const random = new Random(seed, ringBytes)
    const rig = new Rig(ringBytes)
    const sent: string[] = []
    const received: string[] = []
    const next = (most: number): string => {
      const text = String(sent.length)
        .padEnd(1 + random.below(most), '.')
        .slice(0, most)
      sent.push(text)
      return text
    }
    let isReading = true
    let asks = 0
    let lends = 0
    for (let step = 0; step < 20_000; step++) {
      if (random.oneIn(3)) rig.lane.store(lane.IN_READER, random.oneIn(3) ? 0 : ++asks)
      if (random.oneIn(3)) rig.notify()
      if (rig.wire.take().includes('resume')) isReading = true
      const { lentFor } = rig
      if (isReading) isReading = rig.read(next(Math.min(rig.pump.readView().length, 900)))
      else if (lentFor !== 0 && rig.lane.load(lane.IN_READER) === lentFor) {
        lends++
        const ring = rig.lane.inProducer()
        if (ring.hasRoom(1_000)) rig.readByMain(next(900))
      }
      if (random.oneIn(3)) {
        received.push(rig.lane.receive())
        if (rig.lane.load(lane.IN_SPACE) !== 0) rig.notify()
      }
    }
    received.push(rig.lane.receive())
    t.true(received.join('') === sent.join(''))
    t.true(lends > 1_000)
  }
})
