/**
 * Requests a second of a server with many clients, engine against `net`. The clients are plain `net` in one process of
 * their own, and each has one request at a time; the server answers each frame with the same frame.
 */
import type { ContenderSettings } from '../harness/contender.js'
import { cpuUsed, readCpu } from '../harness/cpu.js'
import { meetingPlace } from '../harness/meeting-place.js'
import { interleave, medianOf, spreadOf } from '../harness/rounds.js'
import { SideProcess } from '../harness/side-process.js'
import { ratioOf } from '../harness/statistics.js'

export interface RequestsPlan extends ContenderSettings {
  readonly bytes: number
  readonly rounds: number
  readonly clients: number
  /** Requests a round, of all clients together. */
  readonly count: number
  readonly warmUp: number
}

interface Figures {
  readonly requestsPerSecond: number
  /** Of one request, as its client sees it. */
  readonly p50Micros: number
  readonly p99Micros: number
  /** CPU of the server for one request: all threads, and the main thread alone. */
  readonly cpuMicros: number | undefined
  readonly mainMicros: number | undefined
  /** CPU of the clients' process for one request: a million divided by this is the most that they could do a second. */
  readonly clientCpuMicros: number | undefined
}

interface RequestsSample extends Figures {
  readonly count: number
  readonly wrong: number
}

export interface RequestsRow extends Figures {
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

export interface RequestsReport {
  readonly bytes: number
  readonly clients: number
  readonly rows: readonly RequestsRow[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
}

class RequestsContender {
  readonly name: string
  readonly #server: SideProcess
  readonly #clients: SideProcess

  private constructor(name: string, server: SideProcess, clients: SideProcess) {
    this.name = name
    this.#server = server
    this.#clients = clients
  }

  static async start(stack: 'net' | 'engine', plan: RequestsPlan): Promise<RequestsContender> {
    const path = meetingPlace(plan.folder, `requests-${stack}`)
    const { clients: connections, shards, wake, inlineWrites, pinTo } = plan
    const common = { path, connections, shards, wake, inlineWrites, corkFrames: 1 }
    const server = await SideProcess.start({ ...common, stack, role: 'answer' }, pinTo)
    const clients = await SideProcess.start({ ...common, stack: 'net', role: 'clients' }, pinTo)
    return new RequestsContender(`${stack} server`, server, clients)
  }

  async measure(bytes: number, count: number): Promise<RequestsSample> {
    const programs = [this.#server.pid, this.#clients.pid]
    const before = programs.map(readCpu)
    await this.#clients.order({ kind: 'requests', bytes, count })
    const result = await this.#clients.result('requests')
    const [server, clients] = programs.map((pid, i) => cpuUsed(pid, before[i], readCpu(pid)))
    const each = (cpuMs: number | undefined): number | undefined =>
      cpuMs === undefined ? undefined : (cpuMs * 1000) / count
    return {
      requestsPerSecond: result.count / result.seconds,
      p50Micros: result.p50Micros,
      p99Micros: result.p99Micros,
      cpuMicros: each(server?.totalMs),
      mainMicros: each(server?.mainThreadMs),
      clientCpuMicros: each(clients?.totalMs),
      count: result.count,
      wrong: count - result.count + result.wrong,
    }
  }

  /** True: both programs released everything they had opened. */
  async stop(): Promise<boolean> {
    const clients = await this.#clients.stop()
    const server = await this.#server.stop()
    return clients === 0 && server === 0
  }
}

export async function runRequests(plan: RequestsPlan): Promise<RequestsReport> {
  const { bytes, clients, rounds, count } = plan
  const contenders: RequestsContender[] = []
  let released = true
  let samples: Map<string, RequestsSample[]>
  try {
    for (const stack of ['net', 'engine'] as const) contenders.push(await RequestsContender.start(stack, plan))
    // The first few thousand requests run several times slower: code is compiled, rings become resident.
    for (const contender of contenders) await contender.measure(bytes, plan.warmUp)
    samples = await interleave(contenders, rounds, (contender) => contender.measure(bytes, count))
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
  return { bytes, clients, rows, released }
}

function mediansOf(samples: readonly RequestsSample[]): Figures {
  return {
    requestsPerSecond: medianOf(samples, (sample) => sample.requestsPerSecond) ?? NaN,
    p50Micros: medianOf(samples, (sample) => sample.p50Micros) ?? NaN,
    p99Micros: medianOf(samples, (sample) => sample.p99Micros) ?? NaN,
    cpuMicros: medianOf(samples, (sample) => sample.cpuMicros),
    mainMicros: medianOf(samples, (sample) => sample.mainMicros),
    clientCpuMicros: medianOf(samples, (sample) => sample.clientCpuMicros),
  }
}
