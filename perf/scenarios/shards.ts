/**
 * What more shards bring a server that keeps them busy, beside plain `net` in one process and in as many by
 * `node:cluster`. Clients are plain `net` in a process of their own.
 */
import type { FramingKind } from '../../engine/protocol/framing.js'
import type { ContenderSettings } from '../harness/contender.js'
import type { LoopsResult } from '../harness/messages.js'
import { RequestsContender, type RequestsConfig, type RequestsSample } from '../harness/requests-contender.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'

/** What keeps the shards busy: frames as they are in rings, framings that they translate, or a handler module. */
export const loads = ['frames', 'line', 'content-length', 'handlers'] as const
export type Load = (typeof loads)[number]

export interface ShardsPlan extends Omit<ContenderSettings, 'shards'> {
  readonly rounds: number
  readonly load: Load
  readonly shards: readonly number[]
  readonly bytes: number
  /** Frames of a request; of handlers always 1. */
  readonly batch: number
  /** Of a handler's frame: microseconds, and the laps that they take. */
  readonly workMicros: number
  readonly laps: number
  /** Frames of the first round, by which the others are made to take `seconds`. */
  readonly warmUp: number
  readonly seconds: number
}

export interface ShardsRow {
  readonly name: string
  readonly framesPerSecond: number
  /** Median over the baseline's median of the same run. */
  readonly ratio: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** CPU of the server's process for a frame; undefined where others work for it, or the system does not tell. */
  readonly cpuMicros: number | undefined
  /** Of the clients': a million divided by this is the most frames that they could ask for a second. */
  readonly clientCpuMicros: number | undefined
  /** How busy the event loops are, from 0 to 1; undefined: others work for it. */
  readonly main: number | undefined
  readonly shards: readonly number[]
  readonly count: number
  readonly wrong: number
}

export interface ShardsReport {
  readonly load: Load
  readonly bytes: number
  readonly connections: number
  readonly workMicros: number
  readonly rows: readonly ShardsRow[]
  readonly figures: readonly Figure[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
}

interface Sample extends RequestsSample {
  readonly framesPerSecond: number
  readonly batch: number
  readonly loops: LoopsResult
}

interface Server {
  readonly config: RequestsConfig
  /** In figures: the same whatever the number of shards. */
  readonly contender: string
  /** Undefined: whatever the others have. */
  readonly count: number | undefined
}

/** The first is the baseline. */
function serversOf(plan: ShardsPlan): readonly Server[] {
  const works = plan.load === 'handlers'
  const framing: FramingKind | undefined =
    plan.load === 'line' || plan.load === 'content-length' ? plan.load : undefined
  const common = { ...plan, framing, role: works ? 'work' : 'answer' } as const
  const engine = works ? 'engine, handler module' : 'engine'
  const stack = works ? 'engine-module' : 'engine'
  return [
    { contender: 'net', count: undefined, config: { ...common, name: 'net', stack: 'net', shards: undefined } },
    ...plan.shards.map((count): Server => {
      const name = `net, cluster of ${String(count)}`
      return { contender: 'net, cluster', count, config: { ...common, name, stack: 'net-cluster', shards: count } }
    }),
    ...plan.shards.map((count): Server => {
      const name = `${engine}, ${String(count)} ${count === 1 ? 'shard' : 'shards'}`
      return { contender: engine, count, config: { ...common, name, stack, shards: count } }
    }),
  ]
}

export async function runShards(plan: ShardsPlan): Promise<ShardsReport> {
  const { load, bytes, connections, workMicros, rounds, seconds } = plan
  const batch = load === 'handlers' ? 1 : plan.batch
  const laps = load === 'handlers' ? plan.laps : undefined
  const servers = serversOf(plan)
  const contenders: RequestsContender[] = []
  let released = true
  let samples: Map<string, Sample[]>
  const measure = async (contender: RequestsContender, count: number): Promise<Sample> => {
    const [sample, loops] = await contender.loopsWhile(() => contender.measure({ bytes, count, laps, batch }))
    return { ...sample, framesPerSecond: sample.requestsPerSecond * batch, batch, loops }
  }
  try {
    for (const { config } of servers) contenders.push(await RequestsContender.start(config))
    // The first few thousand requests run several times slower: code is compiled, rings become resident.
    const counts = new Map<string, number>()
    const least = Math.max(connections, Math.ceil(plan.warmUp / batch))
    for (const contender of contenders) {
      await measure(contender, least)
      const { requestsPerSecond } = await measure(contender, least)
      counts.set(contender.name, Math.max(connections, Math.round(requestsPerSecond * seconds)))
    }
    const round = (contender: RequestsContender): Promise<Sample> =>
      measure(contender, counts.get(contender.name) ?? least)
    samples = await interleave(contenders, rounds, round, plan.progress)
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const figures = plan.shards.flatMap((count) => {
    const own = servers.filter((server) => server.count === undefined || server.count === count)
    const ofCount = new Map(own.map(({ contender, config }) => [contender, samples.get(config.name) ?? []]))
    const at = { shards: count, bytes, connections, load, ...(laps === undefined ? {} : { 'work us': workMicros }) }
    return figuresOf<Sample>(ofCount, at, [
      { metric: 'frames there and back', unit: 'frames/s', better: 'higher', of: (sample) => sample.framesPerSecond },
      { metric: 'CPU of a frame', unit: 'us', better: 'lower', of: cpuOfAFrame },
      { metric: 'busiest shard', unit: '%', better: 'lower', of: ({ loops }) => busiest(loops.shards) },
      { metric: 'how busy main is', unit: '%', better: 'lower', of: ({ loops }) => loops.main * 100 },
    ])
  })
  return { load, bytes, connections, workMicros, rows: rowsOf(servers, samples), figures, released }
}

function cpuOfAFrame({ cpuMicros, batch }: Sample): number | undefined {
  return cpuMicros === undefined ? undefined : cpuMicros / batch
}

function busiest(shards: readonly number[]): number | undefined {
  return shards.length === 0 ? undefined : Math.max(...shards) * 100
}

function rowsOf(servers: readonly Server[], samples: ReadonlyMap<string, readonly Sample[]>): readonly ShardsRow[] {
  const [first = []] = samples.values()
  const base = medianOf(first, ({ framesPerSecond }) => framesPerSecond) ?? NaN
  return servers.map(({ config: { name, stack } }) => {
    const own = samples.get(name) ?? []
    const mid = (figure: (sample: Sample) => number): number => medianOf(own, figure) ?? NaN
    const framesPerSecond = mid((sample) => sample.framesPerSecond)
    return {
      name,
      framesPerSecond,
      ratio: framesPerSecond / base,
      p50Micros: mid(({ p50Micros }) => p50Micros),
      p99Micros: mid(({ p99Micros }) => p99Micros),
      cpuMicros: medianOf(own, cpuOfAFrame),
      clientCpuMicros: medianOf(own, ({ clientCpuMicros: cpu, batch }) => (cpu === undefined ? cpu : cpu / batch)),
      main: stack === 'net-cluster' ? undefined : mid(({ loops }) => loops.main),
      shards: own[0]?.loops.shards.map((_, shard) => mid(({ loops }) => loops.shards[shard] ?? NaN)) ?? [],
      count: own.reduce((sum, { count, batch }) => sum + count * batch, 0),
      wrong: own.reduce((sum, { wrong, batch }) => sum + wrong * batch, 0),
    }
  })
}
