/**
 * What a user would pick instead, beside the engine: the same pieces of work over each, in interleaved rounds. How much
 * a round has is found out for each by its speed.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { ComparedContender, type Measure, type RoundSize } from '../harness/compared-contender.js'
import type { Purpose } from '../harness/compared-messages.js'
import { descriptorLimit, descriptorShortage } from '../harness/descriptor-limit.js'
import { availabilityOf, type Availability, type PeerEntry, type WorkName } from '../harness/peer-catalogue.js'
import { silent, type Progress } from '../harness/progress.js'
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
  readonly progress: Progress
  readonly onTable: (table: ComparedTable) => void
}

export interface CompareReport {
  readonly tables: readonly ComparedTable[]
  /** Rows over shared memory that were not, and why. */
  readonly fallbacks: readonly string[]
  /** Peers of which a side did not end by itself, or did not release everything. */
  readonly unreleased: readonly string[]
}

/** Of a round trip, and of each request of many connections. */
const REQUEST_BYTES = 64
const FIRST_REQUESTS = 200
const FIRST_STREAM_BYTES = 4_194_304
const MOST_FIRST_FRAMES = 2_000
const LEAST_FRAMES = 8
/** A few are there before memory is counted: the code that makes them is no part of one. */
const FIRST_IDLE = 10
const SETTLE_MS = 300

export async function runCompare(plan: ComparePlan): Promise<CompareReport> {
  const comparison = new Comparison(plan)
  plan.progress.begin('measurements', comparison.steps)
  try {
    await comparison.asking()
    await comparison.pouring()
    await comparison.idling()
  } finally {
    plan.progress.end()
  }
  return comparison
}

class Comparison implements CompareReport {
  readonly tables: ComparedTable[] = []
  readonly fallbacks: string[] = []
  readonly unreleased: string[] = []
  readonly #plan: ComparePlan
  readonly #availability: ReadonlyMap<PeerEntry, Availability>

  constructor(plan: ComparePlan) {
    this.#plan = plan
    this.#availability = new Map(plan.entries.map((entry) => [entry, availabilityOf(entry)]))
  }

  /** About as many, of about one length, as everything takes. */
  get steps(): number {
    const { sizes, connections, rounds } = this.#plan
    const tables = { 'round-trip': 1, 'fan-in': connections.length, stream: sizes.length }
    const measured = (['round-trip', 'fan-in', 'stream'] as const).map(
      (work) => tables[work] * this.#taking([work]).length * (rounds + 1),
    )
    return measured.reduce((sum, steps) => sum + steps, this.#taking(['idle']).length)
  }

  /** Round trips over one connection, and over many at a time. */
  async asking(): Promise<void> {
    const { connections } = this.#plan
    const measure: Measure<ComparedSample> = async (pair, count) => {
      const asked = await pair.ask(REQUEST_BYTES, count)
      return { sample: askedSample(asked), seconds: asked.seconds }
    }
    await this.#withContenders('ask', ['round-trip', 'fan-in'], async (all) => {
      await this.#tableOf(roundTripWork(REQUEST_BYTES), all, { first: FIRST_REQUESTS, least: 1 }, measure)
      for (const many of connections) {
        const work = fanInWork(REQUEST_BYTES, many)
        for (const contender of this.#of(work, all)) await contender.growTo(many)
        await this.#tableOf(work, all, { first: Math.max(FIRST_REQUESTS, many), least: many }, measure)
      }
    })
  }

  async pouring(): Promise<void> {
    await this.#withContenders('pour', ['stream'], async (all) => {
      for (const bytes of this.#plan.sizes) {
        const first = Math.max(LEAST_FRAMES, Math.min(MOST_FIRST_FRAMES, Math.floor(FIRST_STREAM_BYTES / bytes)))
        await this.#tableOf(streamWork(bytes), all, { first, least: 1 }, async (pair, count) => {
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
    for (const entry of this.#taking(['idle'])) {
      const contender = new ComparedContender(entry)
      try {
        await this.#start(contender, 'ask', ['--expose-gc'])
        await contender.growTo(FIRST_IDLE)
        const before = await contender.attempt((pair) => pair.memory())
        await contender.growTo(FIRST_IDLE + many)
        await wait(SETTLE_MS)
        const after = await contender.attempt((pair) => pair.memory())
        const samples = before === undefined || after === undefined ? [] : [idleSample(before, after, many)]
        outcomes.set(entry, outcomeOf(contender, samples))
      } finally {
        await this.#stop(contender)
      }
      this.#plan.progress.step()
    }
    this.#handOn(work, outcomes)
  }

  /** Starts each that has a part in one of these, and stops it afterwards. */
  async #withContenders(
    purpose: Purpose,
    works: readonly WorkName[],
    use: (contenders: readonly ComparedContender[]) => Promise<void>,
  ): Promise<void> {
    const contenders = this.#taking(works).map((entry) => new ComparedContender(entry))
    try {
      await Promise.all(contenders.map((contender) => this.#start(contender, purpose, [])))
      await use(contenders)
    } finally {
      await Promise.all(contenders.map((contender) => this.#stop(contender)))
    }
  }

  async #start(contender: ComparedContender, purpose: Purpose, execArgv: readonly string[]): Promise<void> {
    const { folder, pinTo, patienceMs } = this.#plan
    const available = this.#availability.get(contender.entry)
    await contender.start(available, purpose, { folder, execArgv, pinTo, patienceMs })
    if (contender.fallback !== undefined) this.fallbacks.push(`${contender.name}: ${contender.fallback}`)
  }

  async #stop(contender: ComparedContender): Promise<void> {
    if (!(await contender.stop())) this.unreleased.push(contender.name)
  }

  async #tableOf(
    work: ComparedWork,
    all: readonly ComparedContender[],
    size: Pick<RoundSize, 'first' | 'least'>,
    measure: Measure<ComparedSample>,
  ): Promise<void> {
    const { rounds, durationMs, count, progress } = this.#plan
    const contenders = this.#of(work, all)
    for (const contender of contenders) {
      await contender.warmUp(measure, { ...size, durationMs, count })
      progress.step()
    }
    const samples = await interleave(
      contenders,
      rounds,
      async (contender) => {
        const sample = await contender.attempt(async (pair) => (await measure(pair, contender.count)).sample)
        progress.step()
        return sample
      },
      // It counts the steps of all tables together.
      silent,
    )
    const outcomes = contenders.map((contender) => {
      const own = (samples.get(contender.name) ?? []).filter((sample) => sample !== undefined)
      return [contender.entry, outcomeOf(contender, own)] as const
    })
    this.#handOn(work, new Map(outcomes))
  }

  #of({ name }: ComparedWork, contenders: readonly ComparedContender[]): readonly ComparedContender[] {
    const entries = this.#taking([name])
    return contenders.filter(({ entry }) => entries.includes(entry))
  }

  /** Those that do one of these, as far as it was asked for. */
  #taking(works: readonly WorkName[]): readonly PeerEntry[] {
    const wanted = works.filter((work) => this.#plan.works.includes(work))
    return this.#plan.entries.filter((entry) =>
      wanted.some((work) => entry.leavesOut?.includes(work) !== true && entry.cannot?.[work] === undefined),
    )
  }

  #handOn(work: ComparedWork, outcomes: ReadonlyMap<PeerEntry, ComparedOutcome>): void {
    if (!this.#plan.works.includes(work.name)) return
    const rows = this.#plan.entries
      .filter(({ leavesOut }) => leavesOut?.includes(work.name) !== true)
      .map((entry) => {
        const { name, peer, ours } = entry
        const available = this.#availability.get(entry)
        const remark = available?.kind === 'there' ? available.remark : undefined
        return { name, peer, ours, remark, outcome: this.#outcomeOf(entry, work, outcomes) }
      })
    const table = { work, rows }
    this.tables.push(table)
    this.#plan.progress.end()
    this.#plan.onTable(table)
  }

  #outcomeOf(
    entry: PeerEntry,
    { name, at }: ComparedWork,
    outcomes: ReadonlyMap<PeerEntry, ComparedOutcome>,
  ): ComparedOutcome {
    const available = this.#availability.get(entry)
    if (available?.kind === 'missing') return { kind: 'absent', why: `not run: ${available.why}` }
    const why = entry.cannot?.[name]
    if (why !== undefined) return { kind: 'absent', why }
    const outcome = outcomes.get(entry) ?? { kind: 'failed', why: 'it was not measured' }
    const shortage = descriptorShortage(at['connections'] ?? 1, entry.descriptors ?? 1, descriptorLimit())
    return outcome.kind === 'failed' && shortage !== undefined ? { kind: 'absent', why: shortage } : outcome
  }
}

function outcomeOf({ failure }: ComparedContender, samples: readonly ComparedSample[]): ComparedOutcome {
  return failure === undefined ? { kind: 'measured', samples } : { kind: 'failed', why: failure }
}
