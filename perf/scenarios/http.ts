/**
 * A host under HTTP load from autocannon: each request is a round trip to a process behind it, with the engine or with
 * `net`.
 */
import autocannon from 'autocannon'
import { rmSync } from 'node:fs'
import type { ContenderSettings } from '../harness/contender.js'
import { cpuUsed, readCpu } from '../harness/cpu.js'
import { GATEWAY_REPLY } from '../harness/messages.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'
import { SideProcess } from '../harness/side-process.js'

export interface HttpPlan extends ContenderSettings {
  readonly rounds: number
  /** Requests a round. */
  readonly count: number
  /** HTTP connections of the load. */
  readonly clients: number
}

export interface HttpRow {
  readonly name: string
  readonly requestsPerSecond: number
  readonly meanMs: number
  readonly p99Ms: number
  /** CPU of the host's main thread a request, microseconds. */
  readonly mainMicros: number | undefined
  readonly ratio: number
  readonly wrong: number
  readonly count: number
}

export interface HttpReport {
  readonly rows: readonly HttpRow[]
  readonly figures: readonly Figure[]
  readonly released: boolean
}

/** A run can end only at one of its samples, so they are frequent enough for an exact duration. */
const SAMPLE_MS = 20

interface HttpSample {
  readonly requestsPerSecond: number
  readonly meanMs: number
  readonly p99Ms: number
  readonly mainMicros: number | undefined
  readonly wrong: number
  readonly count: number
}

class HttpContender {
  readonly name: string
  readonly #socketPath: string
  readonly #backend: SideProcess
  readonly #host: SideProcess

  private constructor(name: string, socketPath: string, backend: SideProcess, host: SideProcess) {
    this.name = name
    this.#socketPath = socketPath
    this.#backend = backend
    this.#host = host
  }

  static async start(stack: 'net' | 'engine', settings: ContenderSettings): Promise<HttpContender> {
    const path = `${settings.folder}/http-${stack}.sock`
    for (const file of [path, `${path}.http`]) rmSync(file, { force: true })
    const { connections, shards, wake, inlineWrites, pinTo } = settings
    const common = { path, connections, shards, wake, inlineWrites, corkFrames: 1 }
    const backend = await SideProcess.start({ ...common, stack: 'net', role: 'echo' }, pinTo)
    const host = await SideProcess.start({ ...common, stack, role: 'gateway' }, pinTo)
    return new HttpContender(`${stack} behind HTTP`, `${path}.http`, backend, host)
  }

  async measure(amount: number, connections: number): Promise<HttpSample> {
    const before = readCpu(this.#host.pid)
    const result = await autocannon({
      url: 'http://localhost/',
      socketPath: this.#socketPath,
      connections,
      amount,
      expectBody: GATEWAY_REPLY,
      sampleInt: SAMPLE_MS,
    })
    const cpu = cpuUsed(this.#host.pid, before, readCpu(this.#host.pid))
    return {
      requestsPerSecond: result.requests.total / result.duration,
      meanMs: result.latency.average,
      p99Ms: result.latency.p99,
      mainMicros: cpu === undefined ? undefined : (cpu.mainThreadMs * 1000) / amount,
      wrong: amount - result['2xx'] + result.mismatches,
      count: amount,
    }
  }

  async stop(): Promise<boolean> {
    const host = await this.#host.stop()
    await this.#backend.stop()
    return host === 0
  }
}

export async function runHttp(plan: HttpPlan): Promise<HttpReport> {
  const contenders: HttpContender[] = []
  let released = true
  let samples: Map<string, HttpSample[]>
  try {
    for (const stack of ['net', 'engine'] as const) contenders.push(await HttpContender.start(stack, plan))
    for (const contender of contenders) await contender.measure(plan.count, plan.clients)
    samples = await interleave(
      contenders,
      plan.rounds,
      (contender) => contender.measure(plan.count, plan.clients),
      plan.progress,
    )
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const base = medianOf(samples.get(contenders[0]?.name ?? '') ?? [], (one) => one.requestsPerSecond) ?? NaN
  const rows = [...samples].map(([name, own]) => {
    const requestsPerSecond = medianOf(own, (one) => one.requestsPerSecond) ?? NaN
    return {
      name,
      requestsPerSecond,
      meanMs: medianOf(own, (one) => one.meanMs) ?? NaN,
      p99Ms: medianOf(own, (one) => one.p99Ms) ?? NaN,
      mainMicros: medianOf(own, (one) => one.mainMicros),
      ratio: requestsPerSecond / base,
      wrong: own.reduce((sum, one) => sum + one.wrong, 0),
      count: own.reduce((sum, one) => sum + one.count, 0),
    }
  })
  const figures = figuresOf(samples, { clients: plan.clients }, [
    { metric: 'HTTP requests', unit: 'requests/s', better: 'higher', of: ({ requestsPerSecond }) => requestsPerSecond },
  ])
  return { rows, figures, released }
}
