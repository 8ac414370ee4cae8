/**
 * Accepted connections a second: foreign peers (plain `net` in a separate process) connect to an engine and to plain
 * `net`.
 */
import type { AcceptorConfig, AcceptorOrder, AcceptorReport, CallerOrder, CallerReport } from '../harness/calls.js'
import { cpuUsed, readCpu } from '../harness/cpu.js'
import { Forked } from '../harness/forked.js'
import { meetingPlace } from '../harness/meeting-place.js'
import type { Progress } from '../harness/progress.js'
import { interleave, medianOf, type Order } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'

/** What the callers of any acceptors do. */
export interface CallsPlan {
  readonly folder: string
  readonly rounds: number
  /** Connections a round. */
  readonly count: number
  /** Connections that the callers have under way at a time; of a burst, all. */
  readonly atOnce: number
  /** Default: all, one after the other. */
  readonly callings?: readonly Calling[]
  readonly pinTo: string | undefined
  readonly progress?: Progress | undefined
  /** Default: as they are given. */
  readonly order?: Order | undefined
}

export interface AcceptsPlan extends CallsPlan {
  /** Undefined: an engine with one shard, and another one with two. */
  readonly shards: number | undefined
}

/**
 * What the callers do: send a frame and wait for its echo, leave at once, or send a frame and come all together.
 */
export const callings = ['echo', 'leave', 'burst'] as const

export type Calling = (typeof callings)[number]

export interface AcceptsRow {
  readonly name: string
  readonly perSecond: number
  /** Median over the baseline's median of the same run. */
  readonly ratio: number
  /** CPU of the accepting process, all threads, for one connection. */
  readonly cpuMicros: number | undefined
  /**
   * CPU of the callers' process for one connection: a million divided by this is the most that they could do a second.
   */
  readonly callerCpuMicros: number | undefined
  /** How often a caller found the backlog full and tried again, for each connection. */
  readonly fullShare: number
  readonly count: number
  /** Connections that were not accepted exactly once, or not answered. */
  readonly wrong: number
}

export interface AcceptsReport {
  readonly calling: Calling
  readonly rows: readonly AcceptsRow[]
  readonly figures: readonly Figure[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
}

interface Sample {
  readonly perSecond: number
  readonly cpuMicros: number | undefined
  readonly callerCpuMicros: number | undefined
  readonly full: number
  readonly wrong: number
}

interface Contender {
  readonly name: string
  readonly acceptor: Forked
  readonly caller: Forked
}

export interface AcceptingConfig extends Omit<AcceptorConfig, 'path'> {
  readonly name: string
}

async function start({ name, ...accepting }: AcceptingConfig, plan: CallsPlan): Promise<Contender> {
  const path = meetingPlace(plan.folder, name)
  const config: AcceptorConfig = { ...accepting, path }
  const acceptor = await Forked.start('acceptor', JSON.stringify(config), plan.pinTo)
  const caller = await Forked.start('caller', path, plan.pinTo)
  return { name, acceptor, caller }
}

async function measure({ acceptor, caller }: Contender, calling: Calling, plan: CallsPlan): Promise<Sample> {
  const { count } = plan
  const speaks = calling !== 'leave'
  const watch: AcceptorOrder = { kind: 'watch', count }
  await acceptor.ask(watch, 'armed')
  const before = [acceptor, caller].map(({ pid }) => readCpu(pid))
  const order: CallerOrder = { count, atOnce: calling === 'burst' ? count : plan.atOnce, speaks }
  const called = await caller.ask<CallerReport>(order, 'called')
  // A caller that leaves at once may have left before it is accepted.
  let told = await report(acceptor)
  while (told.accepted < count) told = await report(acceptor)
  const [cpu, callerCpu] = [acceptor, caller].map(({ pid }, i) => cpuUsed(pid, before[i], readCpu(pid)))
  const ended = [called.endedNs, told.lastNs].map(BigInt)
  const last = ended.reduce((one, other) => (one > other ? one : other))
  const answered = speaks ? called.answered : count
  const calls = speaks ? told.calls : count
  return {
    perSecond: count / (Number(last - BigInt(called.startedNs)) / 1e9),
    cpuMicros: cpu === undefined ? undefined : (cpu.totalMs * 1000) / count,
    callerCpuMicros: callerCpu === undefined ? undefined : (callerCpu.totalMs * 1000) / count,
    full: called.full,
    wrong: count - answered + (count - calls) + told.twice + called.wrong + told.accepted - count,
  }
}

function report(acceptor: Forked): Promise<AcceptorReport> {
  const order: AcceptorOrder = { kind: 'report' }
  return acceptor.ask<AcceptorReport>(order, 'report')
}

export function runAccepts({ shards, ...plan }: AcceptsPlan): Promise<AcceptsReport[]> {
  const engines = (shards === undefined ? [1, 2] : [shards]).map((each): AcceptingConfig => {
    return { name: `engine, ${String(each)} shards`, stack: 'engine', shards: each }
  })
  return compareAcceptors([{ name: 'net', stack: 'net', shards: undefined }, ...engines], plan)
}

/** The first is the baseline. */
export async function compareAcceptors(configs: readonly AcceptingConfig[], plan: CallsPlan): Promise<AcceptsReport[]> {
  const asked = plan.callings ?? callings
  const contenders: Contender[] = []
  const measured = new Map<Calling, Map<string, Sample[]>>()
  let released = true
  try {
    for (const config of configs) contenders.push(await start(config, plan))
    // The first connections run several times slower: code is compiled.
    for (const contender of contenders) for (const calling of asked) await measure(contender, calling, plan)
    for (const calling of asked) {
      const samples = await interleave(
        contenders,
        plan.rounds,
        (contender) => measure(contender, calling, plan),
        plan.progress,
        plan.order,
      )
      measured.set(calling, samples)
    }
  } finally {
    for (const { acceptor, caller } of contenders)
      for (const program of [caller, acceptor]) if ((await program.stop()) !== 0) released = false
  }
  return [...measured].map(([calling, samples]) => {
    const figures = figuresOf(samples, { calling, 'at once': plan.atOnce }, [
      { metric: 'accepted connections', unit: 'connections/s', better: 'higher', of: ({ perSecond }) => perSecond },
      { metric: 'CPU of a connection', unit: 'us', better: 'lower', of: ({ cpuMicros }) => cpuMicros },
    ])
    return { calling, rows: rowsOf(samples, plan), figures, released }
  })
}

function rowsOf(samples: ReadonlyMap<string, readonly Sample[]>, { count }: CallsPlan): AcceptsRow[] {
  const [base = []] = samples.values()
  const basePerSecond = medianOf(base, (sample) => sample.perSecond) ?? NaN
  return [...samples].map(([name, own]) => {
    const perSecond = medianOf(own, (sample) => sample.perSecond) ?? NaN
    return {
      name,
      perSecond,
      ratio: perSecond / basePerSecond,
      cpuMicros: medianOf(own, (sample) => sample.cpuMicros),
      callerCpuMicros: medianOf(own, (sample) => sample.callerCpuMicros),
      fullShare: (medianOf(own, (sample) => sample.full) ?? NaN) / count,
      count: own.length * count,
      wrong: own.reduce((sum, sample) => sum + sample.wrong, 0),
    }
  })
}
