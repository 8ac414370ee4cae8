/**
 * What a user would pick instead, beside the engine: the same pieces of work over each, in interleaved rounds. How much
 * a round has is found out for each by its speed.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Purpose } from '../harness/compared-messages.js'
import { ComparedPair, type PairSettings } from '../harness/compared-pair.js'
import { descriptorLimit, descriptorShortage } from '../harness/descriptor-limit.js'
import { availabilityOf, type Availability, type PeerEntry, type WorkName } from '../harness/peer-catalogue.js'
import { interleave } from '../harness/rounds.js'
import {
  askedSample,
  fanInWork,
  idleSample,
  idleWork,
  pouredSample,
  roundTripWork,
  streamWork,
  type ComparedOutcome,
  type ComparedSample,
  type ComparedTable,
  type ComparedWork,
} from './compared-works.js'

export interface ComparePlan {
  readonly folder: string
  readonly entries: readonly PeerEntry[]
  readonly works: readonly WorkName[]
  /** Of the streams. */
  readonly sizes: readonly number[]
  /** Of the fan-in, rising; the most of them is also how many are idle. */
  readonly connections: readonly number[]
  readonly rounds: number
  /** About as long as a round takes. */
  readonly durationMs: number
  /** Messages a round, instead. */
  readonly count: number | undefined
  readonly pinTo: string | undefined
  /** How long one measurement may take before messages count as lost. */
  readonly patienceMs: number
  readonly onTable: (table: ComparedTable) => void
}

export interface CompareReport {
  readonly tables: readonly ComparedTable[]
  /** Rows over shared memory that were not, and why. */
  readonly fallbacks: readonly string[]
  /** Names of peers of which a side did not end by itself, or did not release everything. */
  readonly unreleased: readonly string[]
}

/** Of a round trip, and of each request of many connections. */
const REQUEST_BYTES = 64
const FIRST_REQUESTS = 200
const FIRST_STREAM_BYTES = 4_194_304
const MOST_FIRST_FRAMES = 2_000
const LEAST_FRAMES = 8
const MOST_MESSAGES = 20_000_000
const MOST_GROWTH = 8
/** Connections come and go; a few are there before memory is counted. */
const FIRST_IDLE = 10
const SETTLE_MS = 300

/** One row while it is measured: what has failed once is not asked again. */
class Contender {
  readonly name: string
  readonly entry: PeerEntry
  pair: ComparedPair | undefined
  count = 0
  connections = 1
  #failure: string | undefined

  constructor(entry: PeerEntry) {
    this.name = entry.name
    this.entry = entry
  }

  get failure(): string | undefined {
    return this.#failure
  }

  async attempt<Result>(what: (pair: ComparedPair) => Promise<Result>): Promise<Result | undefined> {
    if (this.pair === undefined || this.#failure !== undefined) return undefined
    try {
      return await what(this.pair)
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  fail(error: unknown): void {
    this.#failure = error instanceof Error ? error.message : String(error)
  }
}

type Measure = (pair: ComparedPair, count: number) => Promise<{ sample: ComparedSample; seconds: number }>

export async function runCompare(plan: ComparePlan): Promise<CompareReport> {
  const report = { tables: [] as ComparedTable[], fallbacks: [] as string[], unreleased: [] as string[] }
  const run = new Comparison(plan, report)
  const { works } = plan
  if (works.includes('round-trip') || works.includes('fan-in')) await run.asking()
  if (works.includes('stream')) await run.pouring()
  if (works.includes('idle')) await run.idling()
  return report
}

class Comparison {
  readonly #plan: ComparePlan
  readonly #report: { tables: ComparedTable[]; fallbacks: string[]; unreleased: string[] }
  readonly #availability: ReadonlyMap<PeerEntry, Availability>

  constructor(plan: ComparePlan, report: { tables: ComparedTable[]; fallbacks: string[]; unreleased: string[] }) {
    this.#plan = plan
    this.#report = report
    this.#availability = new Map(plan.entries.map((entry) => [entry, availabilityOf(entry)]))
  }

  async asking(): Promise<void> {
    const { works, connections } = this.#plan
    await this.#withContenders('ask', ['round-trip', 'fan-in'], async (contenders) => {
      const measure: Measure = async (pair, count) => {
        const asked = await pair.ask(REQUEST_BYTES, count)
        return { sample: askedSample(asked), seconds: asked.seconds }
      }
      if (works.includes('round-trip')) {
        await this.#tableOf(roundTripWork(REQUEST_BYTES), contenders, FIRST_REQUESTS, 1, measure)
      }
      if (!works.includes('fan-in')) return
      for (const many of connections) {
        for (const contender of contenders) await this.#grow(contender, many)
        const first = Math.max(FIRST_REQUESTS, many)
        await this.#tableOf(fanInWork(REQUEST_BYTES, many), contenders, first, many, measure)
      }
    })
  }

  async pouring(): Promise<void> {
    await this.#withContenders('pour', ['stream'], async (contenders) => {
      for (const bytes of this.#plan.sizes) {
        const first = Math.max(LEAST_FRAMES, Math.min(MOST_FIRST_FRAMES, Math.floor(FIRST_STREAM_BYTES / bytes)))
        await this.#tableOf(streamWork(bytes), contenders, first, LEAST_FRAMES, async (pair, count) => {
          const poured = await pair.pour(bytes, count)
          return { sample: pouredSample(poured, bytes, count), seconds: poured.seconds }
        })
      }
    })
  }

  /** One peer after the other, each in new processes. */
  async idling(): Promise<void> {
    const many = Math.max(...this.#plan.connections)
    const work = idleWork(many)
    const outcomes = new Map<PeerEntry, ComparedOutcome>()
    for (const entry of this.#plan.entries) {
      if (!this.#takesPart(entry, 'idle')) continue
      const contender = new Contender(entry)
      await this.#start(contender, 'ask', ['--expose-gc'])
      const sample = await contender.attempt(async (pair) => {
        await pair.connect(FIRST_IDLE - 1)
        const before = await pair.memory()
        await pair.connect(many)
        await wait(SETTLE_MS)
        return idleSample(before, await pair.memory(), many)
      })
      await this.#stop(contender)
      outcomes.set(entry, outcomeOf(contender, sample === undefined ? [] : [sample]))
    }
    this.#hand(work, outcomes)
  }

  /** Starts each that has a part in one of these, and stops it afterwards. */
  async #withContenders(
    purpose: Purpose,
    works: readonly WorkName[],
    use: (contenders: readonly Contender[]) => Promise<void>,
  ): Promise<void> {
    const wanted = works.filter((work) => this.#plan.works.includes(work))
    const contenders = this.#plan.entries
      .filter((entry) => wanted.some((work) => this.#takesPart(entry, work)))
      .map((entry) => new Contender(entry))
    try {
      for (const contender of contenders) await this.#start(contender, purpose, [])
      await use(contenders)
    } finally {
      for (const contender of contenders) await this.#stop(contender)
    }
  }

  async #start(contender: Contender, purpose: Purpose, execArgv: readonly string[]): Promise<void> {
    const available = this.#availability.get(contender.entry)
    if (available?.kind !== 'there') return
    const { folder, pinTo, patienceMs } = this.#plan
    const settings: PairSettings = { folder, purpose, execPath: available.execPath, execArgv, pinTo, patienceMs }
    try {
      contender.pair = await ComparedPair.start(contender.entry, settings)
      const { fallback } = contender.pair
      if (fallback !== undefined) this.#report.fallbacks.push(`${contender.name}: ${fallback}`)
    } catch (error) {
      contender.fail(error)
    }
  }

  async #stop(contender: Contender): Promise<void> {
    const { pair, failure, name } = contender
    if (pair === undefined) return
    // What has failed may never say that it has stopped.
    if (failure !== undefined) await pair.kill()
    else if (!(await pair.stop())) this.#report.unreleased.push(name)
  }

  async #grow(contender: Contender, connections: number): Promise<void> {
    if (!this.#takesPart(contender.entry, 'fan-in')) return
    await contender.attempt(async (pair) => {
      await pair.connect(connections - contender.connections)
      contender.connections = connections
    })
  }

  async #tableOf(
    work: ComparedWork,
    all: readonly Contender[],
    first: number,
    least: number,
    measure: Measure,
  ): Promise<void> {
    const contenders = all.filter(({ entry }) => this.#takesPart(entry, work.name))
    for (const contender of contenders) {
      // It also warms up: code is compiled, rings and buffers grow.
      await contender.attempt(async (pair) => {
        contender.count = await this.#countFor(pair, first, least, measure)
      })
    }
    const samples = await interleave(contenders, this.#plan.rounds, (contender) =>
      contender.attempt(async (pair) => (await measure(pair, contender.count)).sample),
    )
    const outcomes = contenders.map((contender) => {
      const own = (samples.get(contender.name) ?? []).filter((sample) => sample !== undefined)
      return [contender.entry, outcomeOf(contender, own)] as const
    })
    this.#hand(work, new Map(outcomes))
  }

  /** How many messages take about as long as a round should. */
  async #countFor(pair: ComparedPair, first: number, least: number, measure: Measure): Promise<number> {
    const { count: given, durationMs } = this.#plan
    if (given !== undefined) {
      const count = Math.max(given, least)
      await measure(pair, count)
      return count
    }
    let count = first
    for (;;) {
      const { seconds } = await measure(pair, count)
      const growth = durationMs / (seconds * 1000)
      if (growth <= 2 || count === MOST_MESSAGES) return Math.max(least, Math.round(count * growth))
      count = Math.min(MOST_MESSAGES, Math.ceil(count * Math.min(growth, MOST_GROWTH)))
    }
  }

  #takesPart(entry: PeerEntry, work: WorkName): boolean {
    return entry.leavesOut?.includes(work) !== true && entry.cannot?.[work] === undefined
  }

  #hand(work: ComparedWork, outcomes: ReadonlyMap<PeerEntry, ComparedOutcome>): void {
    const rows = this.#plan.entries
      .filter(({ leavesOut }) => leavesOut?.includes(work.name) !== true)
      .map((entry) => {
        const { name, peer, ours } = entry
        const available = this.#availability.get(entry)
        const remark = available?.kind === 'there' ? available.remark : undefined
        return { name, peer, ours, remark, outcome: this.#outcomeOf(entry, work, outcomes) }
      })
    const table = { work, rows }
    this.#report.tables.push(table)
    this.#plan.onTable(table)
  }

  #outcomeOf(
    entry: PeerEntry,
    { name, at }: ComparedWork,
    outcomes: ReadonlyMap<PeerEntry, ComparedOutcome>,
  ): ComparedOutcome {
    const available = this.#availability.get(entry)
    if (available?.kind !== 'there') return { kind: 'absent', why: `not run: ${available?.why ?? 'it is not there'}` }
    const why = entry.cannot?.[name]
    if (why !== undefined) return { kind: 'absent', why }
    const outcome = outcomes.get(entry) ?? { kind: 'failed', why: 'it was not measured' }
    const shortage = descriptorShortage(at['connections'] ?? 1, entry.descriptors ?? 1, descriptorLimit())
    return outcome.kind === 'failed' && shortage !== undefined ? { kind: 'absent', why: shortage } : outcome
  }
}

function outcomeOf({ failure }: Contender, samples: readonly ComparedSample[]): ComparedOutcome {
  if (failure !== undefined) return { kind: 'failed', why: failure }
  return { kind: 'measured', samples }
}
