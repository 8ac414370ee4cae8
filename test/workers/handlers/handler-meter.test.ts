/** What handler modules do, as counted for main. */
import test from 'ava'
import { createCounters, readHandlerCounters, releaseHandlerCounters } from '../../../engine/protocol/counters.js'
import { HandlerMeter } from '../../../workers/handlers/handler-meter.js'
import { FakeClock } from '../../helpers/fake-clock.js'

test('time counts between the beginning and the end of each turn of work', (t) => {
  const counters = createCounters()
  const clock = new FakeClock()
  const meter = new HandlerMeter(counters, clock)
  meter.begin()
  clock.advance(3)
  meter.end()
  clock.advance(100)
  meter.begin()
  clock.advance(4)
  meter.end()
  t.is(readHandlerCounters(counters).busyMs, 7)
})

test('connections and frames add up', (t) => {
  const counters = createCounters()
  const meter = new HandlerMeter(counters, new FakeClock())
  for (let i = 0; i < 3; i++) meter.open('connections')
  meter.release('connections')
  meter.onTaken(2, 10)
  meter.onTaken(0, 0)
  meter.onTaken(1, 5)
  const { opened, closed, frames, bytes } = readHandlerCounters(counters)
  t.deepEqual({ opened, closed, frames, bytes }, { opened: 3, closed: 1, frames: 3, bytes: 15 })
})

test('regions are told as they are, and counted as taken and given', (t) => {
  const counters = createCounters()
  const meter = new HandlerMeter(counters, new FakeClock())
  meter.onMemory(4, 1_000, 400)
  meter.onMemory(4, 1_000, 400)
  meter.onMemory(1, 1_000, 100)
  meter.onMemory(3, 2_000, 300)
  const { regionsTaken, regionsGiven, ringMemoryBytes, ringMemoryInUseBytes } = readHandlerCounters(counters)
  t.deepEqual([regionsTaken, regionsGiven], [6, 3])
  t.deepEqual([ringMemoryBytes, ringMemoryInUseBytes], [2_000, 300])
})

test('what a dead shard had open is released', (t) => {
  const counters = createCounters()
  const meter = new HandlerMeter(counters, new FakeClock())
  meter.open('connections')
  meter.onTaken(1, 5)
  meter.onMemory(2, 1_000, 200)
  releaseHandlerCounters(counters)
  const { opened, closed, frames, regionsTaken, regionsGiven, ringMemoryBytes } = readHandlerCounters(counters)
  t.deepEqual([opened, closed, frames, regionsTaken, regionsGiven, ringMemoryBytes], [1, 1, 1, 2, 2, 0])
})
