/**
 * Requests a second that need CPU, of servers that work on their main thread, in shards, and in a cluster of processes,
 * and how late the event loop of each server's main thread is meanwhile. The clients are plain `net` in a process of
 * their own, and each has one request at a time.
 */
import type { ContenderSettings } from '../harness/contender.js'
import type { LoopDelay } from '../harness/messages.js'
import {
  mediansOf,
  RequestsContender,
  type RequestsConfig,
  type RequestsFigures,
  type RequestsSample,
} from '../harness/requests-contender.js'
import { interleave, medianOf, spreadOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'

/** What a request needs. */
export interface WorkPlan {
  /** By the calibration; a server counts the laps. */
  readonly micros: number
  readonly laps: number
  /** Requests a round, of all clients together. */
  readonly count: number
  readonly warmUp: number
}

export interface HandlerRequestsPlan extends Omit<ContenderSettings, 'shards'> {
  readonly rounds: number
  /** Of the clients. */
  readonly connections: number
  /** Servers with so many shards each, and clusters of as many processes. */
  readonly shards: readonly number[]
  readonly works: readonly WorkPlan[]
}

export interface HandlerRequestsRow extends RequestsFigures {
  readonly name: string
  /** Requests a second: largest less smallest of all rounds, by the median. */
  readonly spread: number
  /** Median over the main handler's of the same run. */
  readonly ratio: number
  /** Of the server's main thread: while nothing was asked, before the first round, and under the load. */
  readonly idle: LoopDelay | undefined
  readonly loaded: LoopDelay | undefined
  readonly count: number
  readonly wrong: number
}

export interface HandlerRequestsReport {
  readonly work: WorkPlan
  readonly connections: number
  readonly rows: readonly HandlerRequestsRow[]
  readonly figures: readonly Figure[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
}

interface Sample extends RequestsSample {
  readonly loaded: LoopDelay | undefined
}

const BYTES = 64
const IDLE_MS = 200

/** The first is what the others are compared with. */
function configsOf(plan: HandlerRequestsPlan): readonly RequestsConfig[] {
  const { folder, connections, shards, wake, inlineWrites, pinTo } = plan
  const common = { folder, connections, wake, inlineWrites, pinTo, role: 'work' } as const
  return [
    { ...common, name: 'main handler', stack: 'engine', shards: 1 },
    ...shards.map((count): RequestsConfig => {
      return { ...common, name: `handler module, ${some(count, 'shard')}`, stack: 'engine-module', shards: count }
    }),
    { ...common, name: 'net', stack: 'net', shards: undefined },
    ...shards.map((count): RequestsConfig => {
      return { ...common, name: `net, cluster of ${String(count)}`, stack: 'net-cluster', shards: count }
    }),
  ]
}

function some(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`
}

async function measure(contender: RequestsContender, { laps, count }: WorkPlan): Promise<Sample> {
  const samples: RequestsSample[] = []
  const loaded = await contender.loopDelayWhile(async () => {
    samples.push(await contender.measure({ bytes: BYTES, count, laps }))
  })
  const [sample] = samples
  if (sample === undefined) throw new Error('nothing was measured')
  return { ...sample, loaded }
}

export async function runHandlerRequests(plan: HandlerRequestsPlan): Promise<readonly HandlerRequestsReport[]> {
  const contenders: RequestsContender[] = []
  const idle = new Map<string, LoopDelay | undefined>()
  const measured: { readonly work: WorkPlan; readonly samples: ReadonlyMap<string, readonly Sample[]> }[] = []
  let released = true
  try {
    for (const config of configsOf(plan)) contenders.push(await RequestsContender.start(config))
    for (const contender of contenders) idle.set(contender.name, await contender.loopDelayWhile(rest))
    for (const work of plan.works) {
      // The first few thousand requests run several times slower: code is compiled, rings become resident.
      for (const contender of contenders) await measure(contender, { ...work, count: work.warmUp })
      const samples = await interleave(contenders, plan.rounds, (contender) => measure(contender, work), plan.progress)
      measured.push({ work, samples })
    }
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const { connections } = plan
  return measured.map(({ work, samples }) => {
    const figures = figuresOf(samples, { 'work us': work.micros, connections }, [
      { metric: 'requests', unit: 'requests/s', better: 'higher', of: ({ requestsPerSecond }) => requestsPerSecond },
      { metric: 'lateness of main, p99', unit: 'ms', better: 'lower', of: ({ loaded }) => loaded?.p99Ms },
    ])
    return { work, connections, rows: rowsOf(samples, idle), figures, released }
  })
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, IDLE_MS))
}

function rowsOf(
  samples: ReadonlyMap<string, readonly Sample[]>,
  idle: ReadonlyMap<string, LoopDelay | undefined>,
): readonly HandlerRequestsRow[] {
  const [onMain = []] = samples.values()
  const base = mediansOf(onMain)
  return [...samples].map(([name, own]) => {
    const medians = mediansOf(own)
    return {
      name,
      ...medians,
      spread: spreadOf(own, (sample) => sample.requestsPerSecond),
      ratio: medians.requestsPerSecond / base.requestsPerSecond,
      idle: idle.get(name),
      loaded: medianDelay(own.map(({ loaded }) => loaded)),
      count: own.reduce((sum, sample) => sum + sample.count, 0),
      wrong: own.reduce((sum, sample) => sum + sample.wrong, 0),
    }
  })
}

function medianDelay(delays: readonly (LoopDelay | undefined)[]): LoopDelay | undefined {
  const p50Ms = medianOf(delays, (delay) => delay?.p50Ms)
  const p99Ms = medianOf(delays, (delay) => delay?.p99Ms)
  const maxMs = medianOf(delays, (delay) => delay?.maxMs)
  if (p50Ms === undefined || p99Ms === undefined || maxMs === undefined) return undefined
  return { p50Ms, p99Ms, maxMs }
}
