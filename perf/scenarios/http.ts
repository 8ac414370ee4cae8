/**
 * An HTTP host under load from autocannon, each of whose requests is a round trip to a process behind it: over the
 * engine, over `net`, and over HTTP again. The process behind it answers on its main thread or in shards.
 */
import { cpuUsed, readCpu, type CpuUse } from '../harness/cpu.js'
import { countFor } from '../harness/amount.js'
import type { ContenderSettings } from '../harness/contender.js'
import type { Distribution } from '../harness/distribution.js'
import { load } from '../harness/http-load.js'
import { meetingPlace, type Transport } from '../harness/meeting-place.js'
import type { HostConfig, LoopDelay, Sharing, Stack } from '../harness/messages.js'
import { interleave, medianOf } from '../harness/rounds.js'
import { SideProcess } from '../harness/side-process.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'

/** What a request needs of the process behind the host. */
export interface HttpWork {
  /** By the calibration; the process counts the laps. */
  readonly micros: number
  readonly laps: number
  /** Requests a round. */
  readonly count: number
  readonly warmUp: number
}

export interface HttpPlan extends Omit<ContenderSettings, 'shards'> {
  readonly rounds: number
  /** Instead of the count of each work. */
  readonly seconds: number | undefined
  /** HTTP connections of the load. */
  readonly clients: number
  readonly works: readonly HttpWork[]
  readonly sharings: readonly Sharing[]
  readonly transports: readonly Transport[]
  /** Of the engine behind the host, if it answers in shards. */
  readonly shards: readonly number[]
  readonly server: HostConfig['server']
  /** Whether undici is there. */
  readonly hasUndici: boolean
}

export interface HttpRow {
  readonly name: string
  readonly requestsPerSecond: number
  /** Median over the baseline's median of the same run. */
  readonly ratio: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** How late the event loop of the host's main thread is. */
  readonly delay: LoopDelay | undefined
  /** CPU of a request, microseconds: the host's main thread, all of the host, and all of the process behind it. */
  readonly mainMicros: number | undefined
  readonly hostMicros: number | undefined
  readonly behindMicros: number | undefined
  readonly wrong: number
  readonly count: number
}

export interface HttpReport {
  readonly work: HttpWork
  readonly clients: number
  readonly connections: number
  readonly rows: readonly HttpRow[]
  readonly figures: readonly Figure[]
  readonly released: boolean
  /** Of the contenders that asked for shared memory: why they go over their sockets. */
  readonly fallback: string | undefined
}

interface HttpSample extends Omit<HttpRow, 'name' | 'ratio'> {
  readonly took: Distribution
}

interface HttpContenderConfig {
  readonly name: string
  /** What the host asks with, and what answers. */
  readonly asks: Stack
  readonly answers: Stack
  readonly sharing: Sharing
  readonly transport?: Transport | undefined
  /** Of what answers. */
  readonly shards: number | undefined
}

/** The host's engine has little to do: it only asks. */
const HOST_SHARDS = 1

/** The first is what the others are compared with. */
function configsOf({ sharings, transports, shards, hasUndici }: HttpPlan): readonly HttpContenderConfig[] {
  return sharings.flatMap((sharing): HttpContenderConfig[] => {
    const suffix = sharing === 'lease' ? '' : ', pipelined'
    const contender = (name: string, asks: Stack, answers = asks, count?: number, transport?: Transport) => {
      return { name: `${name}${suffix}`, asks, answers, sharing, transport, shards: count }
    }
    return [
      contender('net', 'net'),
      // Requests of a POST wait for each other.
      ...(hasUndici && sharing === 'lease' ? [contender('undici', 'http')] : []),
      ...transports.flatMap((transport) => [
        contender(`engine ${transport}, main`, 'engine', 'engine', 1, transport),
        ...shards.map((count) =>
          contender(`engine ${transport}, ${some(count, 'shard')}`, 'engine', 'engine-module', count, transport),
        ),
      ]),
    ]
  })
}

function some(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`
}

class HttpContender {
  readonly name: string
  readonly #place: string
  readonly #clients: number
  readonly #behind: SideProcess
  readonly #host: SideProcess

  private constructor(name: string, place: string, clients: number, behind: SideProcess, host: SideProcess) {
    this.name = name
    this.#place = place
    this.#clients = clients
    this.#behind = behind
    this.#host = host
  }

  static async start(config: HttpContenderConfig, plan: HttpPlan): Promise<HttpContender> {
    const { name, asks, answers, sharing, transport, shards } = config
    const { folder, connections, wake, inlineWrites, pinTo, server, clients } = plan
    const path = meetingPlace(folder, `behind ${name}`)
    const place = meetingPlace(folder, `http ${name}`)
    const common = { path, connections, wake, inlineWrites, corkFrames: 1, transport }
    const behind = await SideProcess.start({ ...common, stack: answers, role: 'work', shards }, pinTo)
    try {
      const host = { server, path: place, sharing }
      const asking = { ...common, stack: asks, role: 'host', shards: HOST_SHARDS, host } as const
      return new HttpContender(name, place, clients, behind, await SideProcess.start(asking, pinTo))
    } catch (error) {
      await behind.stop()
      throw error
    }
  }

  get fallback(): string | undefined {
    return this.#host.fallback
  }

  async measure(count: number, laps: number): Promise<HttpSample> {
    const programs = [this.#host.pid, this.#behind.pid]
    await this.#host.order({ kind: 'watch-delay' })
    const before = programs.map(readCpu)
    const { seconds, took, wrong } = await load(this.#place, this.#clients, count, laps)
    const [host, behind] = programs.map((pid, i) => cpuUsed(pid, before[i], readCpu(pid)))
    await this.#host.order({ kind: 'report-delay' })
    const { delay } = await this.#host.result('delay')
    const each = (use: CpuUse | undefined, of: keyof CpuUse): number | undefined =>
      use === undefined ? undefined : (use[of] * 1_000) / count
    return {
      requestsPerSecond: took.count / seconds,
      p50Micros: took.micros(50),
      p99Micros: took.micros(99),
      delay,
      mainMicros: each(host, 'mainThreadMs'),
      hostMicros: each(host, 'totalMs'),
      behindMicros: each(behind, 'totalMs'),
      took,
      wrong,
      count,
    }
  }

  /** True: both programs released everything they had opened. */
  async stop(): Promise<boolean> {
    const host = await this.#host.stop()
    const behind = await this.#behind.stop()
    return host === 0 && behind === 0
  }
}

export async function runHttp(plan: HttpPlan): Promise<readonly HttpReport[]> {
  const contenders: HttpContender[] = []
  const measured: { readonly work: HttpWork; readonly samples: ReadonlyMap<string, readonly HttpSample[]> }[] = []
  let fallback: string | undefined
  let released = true
  try {
    for (const config of configsOf(plan)) contenders.push(await HttpContender.start(config, plan))
    fallback = contenders.map((contender) => contender.fallback).find((why) => why !== undefined)
    for (const work of plan.works) {
      const counts = new Map<string, number>()
      // The first few thousand requests run several times slower: code is compiled, rings become resident.
      for (const contender of contenders) {
        const { requestsPerSecond } = await contender.measure(work.warmUp, work.laps)
        const count = countFor({ count: work.count, seconds: plan.seconds }, requestsPerSecond)
        counts.set(contender.name, Math.max(plan.clients, count))
      }
      const samples = await interleave(
        contenders,
        plan.rounds,
        (contender) => contender.measure(counts.get(contender.name) ?? work.count, work.laps),
        plan.progress,
      )
      measured.push({ work, samples })
    }
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const { clients, connections } = plan
  return measured.map(({ work, samples }) => {
    const at = { 'work us': work.micros, clients, connections }
    return { work, clients, connections, rows: rowsOf(samples), figures: figuresOfAll(samples, at), released, fallback }
  })
}

function figuresOfAll(samples: ReadonlyMap<string, readonly HttpSample[]>, at: Figure['at']): readonly Figure[] {
  return figuresOf(samples, at, [
    { metric: 'HTTP requests', unit: 'requests/s', better: 'higher', of: ({ requestsPerSecond }) => requestsPerSecond },
    {
      metric: 'HTTP request, median',
      unit: 'us',
      better: 'lower',
      of: ({ p50Micros }) => p50Micros,
      distribution: ({ took }) => took,
    },
    { metric: 'HTTP request, p99', unit: 'us', better: 'lower', of: ({ p99Micros }) => p99Micros },
    { metric: "lateness of the host's main, p99", unit: 'ms', better: 'lower', of: ({ delay }) => delay?.p99Ms },
    { metric: "CPU of the host's main a request", unit: 'us', better: 'lower', of: ({ mainMicros }) => mainMicros },
    { metric: 'CPU of the host a request', unit: 'us', better: 'lower', of: ({ hostMicros }) => hostMicros },
    { metric: 'CPU behind the host a request', unit: 'us', better: 'lower', of: ({ behindMicros }) => behindMicros },
  ])
}

function rowsOf(samples: ReadonlyMap<string, readonly HttpSample[]>): readonly HttpRow[] {
  const [first = []] = samples.values()
  const base = medianOf(first, (one) => one.requestsPerSecond) ?? NaN
  return [...samples].map(([name, own]) => {
    const requestsPerSecond = medianOf(own, (one) => one.requestsPerSecond) ?? NaN
    return {
      name,
      requestsPerSecond,
      ratio: requestsPerSecond / base,
      p50Micros: medianOf(own, (one) => one.p50Micros) ?? NaN,
      p99Micros: medianOf(own, (one) => one.p99Micros) ?? NaN,
      delay: medianDelay(own),
      mainMicros: medianOf(own, (one) => one.mainMicros),
      hostMicros: medianOf(own, (one) => one.hostMicros),
      behindMicros: medianOf(own, (one) => one.behindMicros),
      wrong: own.reduce((sum, one) => sum + one.wrong, 0),
      count: own.reduce((sum, one) => sum + one.count, 0),
    }
  })
}

function medianDelay(samples: readonly HttpSample[]): LoopDelay | undefined {
  const p50Ms = medianOf(samples, ({ delay }) => delay?.p50Ms)
  const p99Ms = medianOf(samples, ({ delay }) => delay?.p99Ms)
  const maxMs = medianOf(samples, ({ delay }) => delay?.maxMs)
  if (p50Ms === undefined || p99Ms === undefined || maxMs === undefined) return undefined
  return { p50Ms, p99Ms, maxMs }
}
