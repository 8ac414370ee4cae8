/** A server, the clients that ask it, and the figures of one measurement of both. */
import type { FramingKind } from '../../engine/protocol/framing.js'
import type { ContenderSettings } from './contender.js'
import { cpuUsed, readCpu } from './cpu.js'
import { Distribution } from './distribution.js'
import { meetingPlace, type Transport } from './meeting-place.js'
import type { LoopDelay, LoopsResult, RequestsOrder, SideConfig } from './messages.js'
import { medianOf } from './rounds.js'
import { SideProcess } from './side-process.js'

export interface RequestsFigures {
  readonly requestsPerSecond: number
  /** Of one request, as its client sees it. */
  readonly p50Micros: number
  readonly p99Micros: number
  /** CPU of the server's process for one request: all threads, unless it has others work, and the main thread alone. */
  readonly cpuMicros: number | undefined
  readonly mainMicros: number | undefined
  /** CPU of the clients' process for one request: a million divided by this is the most that they could do a second. */
  readonly clientCpuMicros: number | undefined
}

export interface RequestsSample extends RequestsFigures {
  readonly count: number
  readonly wrong: number
  readonly distribution: Distribution
}

export interface RequestsConfig extends ContenderSettings {
  readonly name: string
  readonly stack: SideConfig['stack']
  readonly role: 'answer' | 'work'
  /** The URL of an engine's `api/index.js`. Default: this tree's. */
  readonly engine?: string | undefined
  /** Shared memory needs an engine on the side that asks, too; all other servers have plain `net` clients. */
  readonly transport?: Transport | undefined
  readonly framing?: FramingKind | undefined
}

export class RequestsContender {
  readonly name: string
  readonly #hasOthersWork: boolean
  readonly #server: SideProcess
  readonly #clients: SideProcess

  private constructor(name: string, hasOthersWork: boolean, server: SideProcess, clients: SideProcess) {
    this.name = name
    this.#hasOthersWork = hasOthersWork
    this.#server = server
    this.#clients = clients
  }

  static async start({
    name,
    stack,
    role,
    engine,
    transport,
    framing,
    ...settings
  }: RequestsConfig): Promise<RequestsContender> {
    const { folder, connections, shards, wake, inlineWrites, pinTo } = settings
    const path = meetingPlace(folder, `requests-${name}`)
    const common = { path, connections, shards, wake, inlineWrites, corkFrames: 1, transport, framing }
    const server = await SideProcess.start({ ...common, stack, role, engine }, pinTo)
    const asking = transport === 'shm' ? 'engine' : 'net'
    const clients = await SideProcess.start(
      { ...common, shards: undefined, stack: asking, role: 'clients', engine },
      pinTo,
    )
    return new RequestsContender(name, stack === 'net-cluster', server, clients)
  }

  /** Why its connections are not over shared memory, if they asked for it. */
  get fallback(): string | undefined {
    return this.#clients.fallback
  }

  async measure(order: Omit<RequestsOrder, 'kind'>): Promise<RequestsSample> {
    const { count } = order
    const programs = [this.#server.pid, this.#clients.pid]
    const before = programs.map(readCpu)
    await this.#clients.order({ kind: 'requests', ...order })
    const result = await this.#clients.result('requests')
    const [server, clients] = programs.map((pid, i) => cpuUsed(pid, before[i], readCpu(pid)))
    const each = (cpuMs: number | undefined): number | undefined =>
      cpuMs === undefined ? undefined : (cpuMs * 1000) / count
    return {
      requestsPerSecond: result.count / result.seconds,
      p50Micros: result.p50Micros,
      p99Micros: result.p99Micros,
      cpuMicros: this.#hasOthersWork ? undefined : each(server?.totalMs),
      mainMicros: each(server?.mainThreadMs),
      clientCpuMicros: each(clients?.totalMs),
      count: result.count,
      distribution: Distribution.decoded(result.distribution),
      wrong: count - result.count + result.wrong,
    }
  }

  /** How late the event loop of the server's main thread is meanwhile. */
  async loopDelayWhile(meanwhile: () => Promise<void>): Promise<LoopDelay | undefined> {
    await this.#server.order({ kind: 'watch-delay' })
    await meanwhile()
    await this.#server.order({ kind: 'report-delay' })
    return (await this.#server.result('delay')).delay
  }

  /** How busy the server's event loops are meanwhile. */
  async loopsWhile<T>(meanwhile: () => Promise<T>): Promise<readonly [T, LoopsResult]> {
    await this.#server.order({ kind: 'watch-loops' })
    const sample = await meanwhile()
    await this.#server.order({ kind: 'report-loops' })
    return [sample, await this.#server.result('loops')]
  }

  /** True: both programs released everything they had opened. */
  async stop(): Promise<boolean> {
    const clients = await this.#clients.stop()
    const server = await this.#server.stop()
    return clients === 0 && server === 0
  }
}

export function mediansOf(samples: readonly RequestsSample[]): RequestsFigures {
  return {
    requestsPerSecond: medianOf(samples, (sample) => sample.requestsPerSecond) ?? NaN,
    p50Micros: medianOf(samples, (sample) => sample.p50Micros) ?? NaN,
    p99Micros: medianOf(samples, (sample) => sample.p99Micros) ?? NaN,
    cpuMicros: medianOf(samples, (sample) => sample.cpuMicros),
    mainMicros: medianOf(samples, (sample) => sample.mainMicros),
    clientCpuMicros: medianOf(samples, (sample) => sample.clientCpuMicros),
  }
}
