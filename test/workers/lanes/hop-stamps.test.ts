/** What a shard notes in a lane for main, which traces hops: and that it notes nothing for one that does not. */
import test from 'ava'
import { lane } from '../../../engine/protocol/ring-layout.js'
import type { Wire } from '../../../workers/wire.js'
import { MainSide, type MainLane } from '../../helpers/main-side.js'
import type { Pump } from '../../../workers/lanes/pump.js'

/** 32 bits hold no more, and a time may have more. */
const EARLIER = 2 ** 33

interface Rig {
  readonly clock: { at: number; looks: number }
  readonly lane: MainLane
  readonly pump: Pump
  readonly wire: { room: number }
  readonly notify: () => void
}

function attached(traces: boolean): Rig {
  const clock = { at: EARLIER, looks: 0 }
  const look = (): number => {
    clock.looks++
    return clock.at
  }
  const main = new MainSide(traces ? look : undefined)
  const mainLane = main.takeLane()
  const { id } = mainLane.grant
  const pump = main.pumps.open(id, 'dialled', 'unix')
  const kernel = { room: 0 }
  const ignore = (): void => undefined
  const wire: Wire = {
    resume: ignore,
    end: ignore,
    destroy: ignore,
    write: ignore,
    tryWrite: (_bytes, _offset, length) => {
      clock.at += 5
      const taken = Math.min(length, kernel.room)
      kernel.room -= taken
      return taken
    },
  }
  pump.attach(wire)
  return { clock, lane: mainLane, pump, wire: kernel, notify: () => main.pumps.onNotify(id) }
}

function stamps({ lane: of }: Rig): readonly number[] {
  return [of.load(lane.OUT_TAKEN_AT), of.load(lane.OUT_WRITTEN_AT), of.load(lane.IN_READ_AT)]
}

test('the shard notes when it begins to write and when it has written', (t) => {
  const rig = attached(true)
  rig.wire.room = 100
  rig.clock.at = EARLIER + 70
  rig.lane.send('question')
  rig.notify()
  t.deepEqual(stamps(rig), [70, 75, 0])
})

test('what is written in several pieces was taken when the first was, and is written when the last is', (t) => {
  const rig = attached(true)
  rig.wire.room = 3
  rig.lane.send('question')
  rig.notify()
  t.deepEqual(stamps(rig), [0, 5, 0])
  rig.clock.at = EARLIER + 40
  rig.pump.onWritten()
  t.deepEqual(stamps(rig), [0, 40, 0])
  rig.clock.at = EARLIER + 90
  rig.wire.room = 100
  rig.lane.send('another')
  rig.notify()
  t.deepEqual(stamps(rig), [90, 95, 0])
})

test('the shard notes when it has read', (t) => {
  const rig = attached(true)
  rig.clock.at = EARLIER + 12
  rig.pump.onRead(rig.pump.readView().write('answer'))
  t.deepEqual(stamps(rig), [0, 0, 12])
})

test('where hops are not traced the shard notes nothing', (t) => {
  const rig = attached(false)
  rig.wire.room = 100
  rig.lane.send('question')
  rig.notify()
  rig.pump.onRead(rig.pump.readView().write('answer'))
  t.deepEqual(stamps(rig), [0, 0, 0])
  t.is(rig.clock.looks, 0)
})
