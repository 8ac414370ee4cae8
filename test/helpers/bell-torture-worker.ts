/**
 * The bell alone, as fast as two threads can go: side 0 notifies bursts of lanes, side 1 takes them and says how
 * much it has seen. At the end of each burst side 0 sleeps until side 1 has seen everything, so that one notification
 * or one wake-up that is lost stops both.
 */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { BellListener, BellNotifier } from '../../engine/protocol/bell.js'
import { MAX_LANES } from '../../engine/protocol/ring-layout.js'
import { Random } from './random.js'
import type { SideIndex } from './torture-side.js'

export interface BellTortureBoot {
  readonly side: SideIndex
  readonly seed: number
  readonly bursts: number
  /** By side, the bell that it listens to. */
  readonly bells: readonly [SharedArrayBuffer, SharedArrayBuffer]
  /** For each lane, how many times it was notified; one word more for how much side 1 has seen. */
  readonly notifications: Int32Array
  readonly wakePort: MessagePort
}

export interface BellTortureReport {
  readonly notified: number
  readonly parks: number
}

const SEEN = MAX_LANES
const MAX_BURST = 40
const MAX_PAUSE = 40

const { side, seed, bursts, bells, notifications, wakePort } = workerData as BellTortureBoot
const random = new Random(seed, side)
const listener = new BellListener(bells[side])
const notifier = new BellNotifier(bells[side === 0 ? 1 : 0], () => {
  wakePort.postMessage(0)
})

// Neighbours in one leaf word, neighbours in one summary word, and strangers.
const lanes: [number, ...number[]] = [
  0,
  ...Array.from({ length: 10 }, (_, i) => 3 * i + 1),
  ...Array.from({ length: 10 }, (_, i) => 1024 + 32 * i),
  ...Array.from({ length: 10 }, () => random.below(MAX_LANES)),
]

let notified = 0
let burstsLeft = bursts
let parks = 0

function ringBurst(): void {
  for (let left = random.between(1, MAX_BURST); left > 0; left--) {
    const id = random.pick(lanes)
    Atomics.add(notifications, id, 1)
    notified++
    notifier.notify(id)
    for (let pause = random.below(MAX_PAUSE); pause > 0; pause--) Atomics.load(notifications, SEEN)
  }
}

function ringSide(): void {
  listener.take(() => undefined)
  while (Atomics.load(notifications, SEEN) === notified) {
    if (burstsLeft-- === 0) {
      const report: BellTortureReport = { notified, parks }
      parentPort?.postMessage(report)
      return
    }
    ringBurst()
  }
}

const seenOf = new Int32Array(MAX_LANES)
let seen = 0

function takeSide(): void {
  const before = seen
  listener.take((id) => {
    const now = Atomics.load(notifications, id)
    seen += now - (seenOf[id] ?? 0)
    seenOf[id] = now
  })
  if (seen === before) return
  Atomics.store(notifications, SEEN, seen)
  notifier.notify(0)
}

function turn(): void {
  if (side === 0) ringSide()
  else takeSide()
  if (listener.park()) parks++
  else setImmediate(turn)
}

wakePort.on('message', turn)
turn()
