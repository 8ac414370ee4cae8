/** Two torture threads over memory that the test can look into. The test itself moves no data. */
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import { MessageChannel, Worker } from 'node:worker_threads'
import { createBellMemory } from '../../engine/protocol/bell.js'
import { HEADER_SLAB_BYTES, LaneTable } from '../../engine/protocol/lane.js'
import type { SlabDescriptor } from '../../engine/protocol/slab-table.js'
import { bell, MAX_LANES, orderFor, regionIdOf, UNIT_BYTES, UNITS_PER_SLAB } from '../../engine/protocol/ring-layout.js'
import { distance } from '../../engine/protocol/ring.js'
import type { BellTortureBoot, BellTortureReport } from './bell-torture-worker.js'
import { Random } from './random.js'
import {
  directions,
  type RegionChoice,
  type SideIndex,
  type SideReport,
  type TortureBoot,
  type TortureMemory,
  type TorturePlan,
} from './torture-side.js'

export type SupervisorMessage = 'start' | 'probe' | 'wake'
export interface SideMessage {
  readonly kind: 'done' | 'probed'
  readonly report: SideReport
}

export type SideReports = readonly [SideReport, SideReport]

const sides = [0, 1] as const
/** What each ring moves between: two of the smallest, then larger ones. */
const choiceBytes = [4096, 4096, 8192, 32_768] as const

export class Torture {
  /** Resolves when both sides have sent and received everything; rejects when one fails. */
  readonly finished: Promise<SideReports>
  readonly #memory: TortureMemory
  readonly #plan: TorturePlan
  readonly #workers: readonly [Worker, Worker]

  constructor(plan: TorturePlan) {
    this.#plan = plan
    this.#memory = createMemory(plan)
    const { port1, port2 } = new MessageChannel()
    const start = (side: SideIndex): Worker => {
      const wakePort = side === 0 ? port1 : port2
      const boot: TortureBoot = { side, plan, memory: this.#memory, wakePort }
      return new Worker(new URL('./torture-worker.js', import.meta.url), {
        workerData: boot,
        transferList: [wakePort],
      })
    }
    this.#workers = [start(0), start(1)]
    this.finished = this.#both('done')
    // A test that only probes sees a failure by its probes.
    this.finished.catch(() => undefined)
    for (const worker of this.#workers) worker.postMessage('start')
  }

  /** Asks both sides how far they are. Their answers come from their event loops and make no progress. */
  probe(): Promise<SideReports> {
    const answers = this.#both('probed')
    for (const worker of this.#workers) worker.postMessage('probe')
    return answers
  }

  /** Whether the side has announced that it must be woken, as shared memory says. */
  isParked(side: SideIndex): boolean {
    return Atomics.load(this.#bell(side), bell.PARKED) === 1
  }

  /** Whether the side's bell holds notifications that were not taken, as shared memory says. */
  hasUntakenNews(side: SideIndex): boolean {
    return this.#bell(side)
      .subarray(bell.SUMMARY)
      .some((_, i, words) => Atomics.load(words, i) !== 0)
  }

  /** Bytes that were published for the side and that it has not released, over all lanes. */
  undelivered(side: SideIndex): number {
    const { tail, head } = directions[side === 0 ? 1 : 0].ring
    const table = new LaneTable()
    table.addHeaders(this.#memory.headers)
    let bytes = 0
    for (const id of this.#plan.lanes) {
      const words = table.wordsOf(id)
      const base = table.baseOf(id)
      bytes += distance(Atomics.load(words, base + tail), Atomics.load(words, base + head))
    }
    return bytes
  }

  /** The wake-up that the bell should have sent. It is handled before any later probe. */
  wakeByHand(side: SideIndex): void {
    Atomics.store(this.#bell(side), bell.PARKED, 0)
    this.#workers[side].postMessage('wake')
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #bell(side: SideIndex): Int32Array {
    return new Int32Array(this.#memory.bells[side])
  }

  async #both(kind: SideMessage['kind']): Promise<SideReports> {
    const [first, second] = this.#workers
    return Promise.all([nextReport(first, kind), nextReport(second, kind)])
  }
}

/** Rejects when the worker fails. */
function nextReport(worker: Worker, kind: SideMessage['kind']): Promise<SideReport> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: SideMessage): void => {
      if (message.kind !== kind) return
      stopListening()
      resolve(message.report)
    }
    const onError = (error: Error): void => {
      stopListening()
      reject(error)
    }
    const stopListening = (): void => {
      worker.off('message', onMessage)
      worker.off('error', onError)
    }
    worker.on('message', onMessage)
    worker.on('error', onError)
  })
}

/** Runs bell-torture-worker.ts to its end. */
export async function tortureBell(t: ExecutionContext, seed: number, bursts: number): Promise<BellTortureReport> {
  const { port1, port2 } = new MessageChannel()
  const bells = [createBellMemory(), createBellMemory()] as const
  const notifications = new Int32Array(new SharedArrayBuffer((MAX_LANES + 1) * Int32Array.BYTES_PER_ELEMENT))
  const workers = sides.map((side) => {
    const wakePort = side === 0 ? port1 : port2
    const boot: BellTortureBoot = { side, seed, bursts, bells, notifications, wakePort }
    return new Worker(new URL('./bell-torture-worker.js', import.meta.url), {
      workerData: boot,
      transferList: [wakePort],
    })
  })
  t.teardown(() => Promise.all(workers.map((worker) => worker.terminate())))
  return Promise.race(
    workers.map(async (worker) => {
      const [report] = (await once(worker, 'message')) as [BellTortureReport]
      return report
    }),
  )
}

function createMemory(plan: TorturePlan): TortureMemory {
  const { lanes } = plan
  const units = (2 * lanes.length * Math.max(...choiceBytes)) / UNIT_BYTES
  if (units > UNITS_PER_SLAB) throw new Error(`too many lanes: ${String(lanes.length)}`)
  const headers = new SharedArrayBuffer(HEADER_SLAB_BYTES)
  const slabs: SlabDescriptor[] = choiceBytes.map((regionBytes, i) => ({
    id: i + 1,
    memory: new SharedArrayBuffer(regionBytes * lanes.length * 2),
  }))
  const regionsOf = (side: SideIndex): RegionChoice[] =>
    lanes.map((_, place): RegionChoice => {
      const [first, ...others] = choiceBytes.map((bytes, i) =>
        regionIdOf(i + 1, ((2 * place + side) * bytes) / UNIT_BYTES, orderFor(bytes)),
      )
      if (first === undefined) throw new Error('there are no regions to choose from')
      return [first, ...others]
    })
  const regions = [regionsOf(0), regionsOf(1)] as const
  const table = new LaneTable()
  table.addHeaders(headers)
  const random = new Random(plan.seed)
  for (const side of sides) {
    const { ring, notify, notifyAt } = directions[side]
    for (const [place, id] of lanes.entries()) {
      const [region = 0] = regions[side][place] ?? []
      const words = table.wordsOf(id)
      const base = table.baseOf(id)
      // Some lanes wrap their positions early.
      const start = random.pick([0, 2 ** 31 - 5000, 2 ** 32 - 5000]) | 0
      Atomics.store(words, base + ring.head, start)
      Atomics.store(words, base + ring.tail, start)
      Atomics.store(words, base + ring.region, region)
      Atomics.store(words, base + ring.regionAck, region)
      Atomics.store(words, base + notify, 1)
      if (notifyAt !== undefined) Atomics.store(words, base + notifyAt, start)
    }
  }
  return { headers, slabs, bells: [createBellMemory(), createBellMemory()], regions }
}
