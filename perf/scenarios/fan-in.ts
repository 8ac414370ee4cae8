/**
 * Requests a second of a server with many clients, engine against `net`. The clients are in one process of their own,
 * and each has one request at a time; the server answers each frame with the same frame. Clients are plain `net`, but
 * those over shared memory, which only an engine can share.
 */
import { countFor } from '../harness/amount.js'
import type { ContenderSettings } from '../harness/contender.js'
import { SOCKETS, type Transport } from '../harness/meeting-place.js'
import {
  mediansOf,
  RequestsContender,
  type RequestsConfig,
  type RequestsFigures,
  type RequestsSample,
} from '../harness/requests-contender.js'
import { interleave, spreadOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'
import { ratioOf } from '../harness/statistics.js'

export interface FanInPlan extends Omit<ContenderSettings, 'connections' | 'shards'> {
  readonly bytes: number
  /** Of the engines, each with each of `shards`; undefined among these: the engine's own. */
  readonly transports: readonly Transport[]
  readonly shards: readonly (number | undefined)[]
  readonly rounds: number
  readonly clients: number
  /** Requests a round, of all clients together. */
  readonly count: number
  /** Instead of `count`: as many as take so long. */
  readonly seconds?: number | undefined
  readonly warmUp: number
}

export interface FanInRow extends RequestsFigures {
  readonly name: string
  /** Requests a second: largest less smallest of all rounds, by the median. */
  readonly spread: number
  /** Median over the baseline's median of the same run. */
  readonly ratio: number
  readonly p50Ratio: number
  readonly p99Ratio: number
  /** Undefined where the system does not tell CPU. */
  readonly cpuRatio: number | undefined
  readonly mainRatio: number | undefined
  readonly count: number
  readonly wrong: number
}

/** What is asked, and how; the servers come beside it. */
export type AskingPlan = Omit<FanInPlan, 'transports' | 'shards'>

export type ServerConfig = Pick<RequestsConfig, 'name' | 'stack' | 'engine' | 'transport'> &
  Partial<Pick<RequestsConfig, 'shards'>>

export interface FanInReport {
  readonly bytes: number
  readonly clients: number
  readonly rows: readonly FanInRow[]
  readonly figures: readonly Figure[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
  /** Why connections are not over shared memory, if they should be. */
  readonly fallback: string | undefined
}

/** The first is the baseline. */
function configsOf(plan: FanInPlan): readonly ServerConfig[] {
  const engines = plan.transports.flatMap((transport) =>
    plan.shards.map((shards): ServerConfig => {
      const over = transport === SOCKETS ? '' : `, ${transport}`
      const threads = shards === undefined ? '' : `, ${String(shards)} ${shards === 1 ? 'shard' : 'shards'}`
      return { name: `engine server${over}${threads}`, stack: 'engine', transport, shards }
    }),
  )
  return [{ name: 'net server', stack: 'net', shards: undefined }, ...engines]
}

export function runFanIn(plan: FanInPlan): Promise<FanInReport> {
  return compareServers(configsOf(plan), plan)
}

/** The first is the baseline. */
export async function compareServers(configs: readonly ServerConfig[], plan: AskingPlan): Promise<FanInReport> {
  const { bytes, clients, rounds } = plan
  const contenders: RequestsContender[] = []
  let released = true
  let fallback: string | undefined
  let samples: Map<string, RequestsSample[]>
  try {
    for (const config of configs) {
      const { folder, wake, inlineWrites, pinTo } = plan
      const settings = { folder, wake, inlineWrites, pinTo, connections: clients }
      contenders.push(await RequestsContender.start({ ...settings, shards: undefined, ...config, role: 'answer' }))
    }
    for (const contender of contenders) fallback ??= contender.fallback
    // The first few thousand requests run several times slower: code is compiled, rings become resident.
    const counts = new Map<string, number>()
    for (const contender of contenders) {
      const { requestsPerSecond } = await contender.measure({ bytes, count: plan.warmUp })
      counts.set(contender.name, Math.max(clients, countFor(plan, requestsPerSecond)))
    }
    const measure = (contender: RequestsContender): Promise<RequestsSample> =>
      contender.measure({ bytes, count: counts.get(contender.name) ?? plan.count })
    samples = await interleave(contenders, rounds, measure, plan.progress, plan.order)
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const base = mediansOf(samples.get(contenders[0]?.name ?? '') ?? [])
  const rows = [...samples].map(([name, own]) => {
    const medians = mediansOf(own)
    return {
      name,
      ...medians,
      spread: spreadOf(own, (sample) => sample.requestsPerSecond),
      ratio: medians.requestsPerSecond / base.requestsPerSecond,
      p50Ratio: medians.p50Micros / base.p50Micros,
      p99Ratio: medians.p99Micros / base.p99Micros,
      cpuRatio: ratioOf(medians.cpuMicros, base.cpuMicros),
      mainRatio: ratioOf(medians.mainMicros, base.mainMicros),
      count: own.reduce((sum, sample) => sum + sample.count, 0),
      wrong: own.reduce((sum, sample) => sum + sample.wrong, 0),
    }
  })
  const figures = figuresOf(samples, { bytes, connections: clients }, [
    {
      metric: 'requests',
      unit: 'requests/s',
      better: 'higher',
      of: ({ requestsPerSecond }) => requestsPerSecond,
    },
    {
      metric: 'a request',
      unit: 'us',
      better: 'lower',
      of: ({ p50Micros }) => p50Micros,
      distribution: ({ distribution }) => distribution,
    },
    { metric: 'CPU of a request', unit: 'us', better: 'lower', of: ({ cpuMicros }) => cpuMicros },
    { metric: "main thread's CPU of a request", unit: 'us', better: 'lower', of: ({ mainMicros }) => mainMicros },
  ])
  return { bytes, clients, rows, figures, released, fallback }
}
