/** Two measured programs that talk to each other over one socket, and the figures of one measurement of them. */
import type { HopStats } from '../../api/index.js'
import type { FramingKind } from '../../engine/protocol/framing.js'
import { cpuUsed, readCpu, type CpuReading, type CpuUse } from './cpu.js'
import { Distribution } from './distribution.js'
import { meetingPlace, type Transport } from './meeting-place.js'
import type { Block, BlockOrder, OpenLoopOrder, OpenLoopResult, Result, SideConfig, Stack } from './messages.js'
import type { Progress } from './progress.js'
import type { Order } from './rounds.js'
import { SideProcess } from './side-process.js'

export interface ContenderConfig {
  readonly name: string
  readonly near: Stack
  /** Undefined: the near side starts what it talks to. */
  readonly far: Stack | undefined
  readonly corkFrames: number
  /** Of an engine. */
  readonly batches?: boolean
  readonly framing?: FramingKind
  /** Of an engine. */
  readonly transport?: Transport
  /** The URL of an engine's `api/index.js`. Default: this tree's. */
  readonly engine?: string | undefined
  /** Of an engine. Default: false. */
  readonly traceHops?: boolean
}

export interface ContenderSettings {
  readonly folder: string
  /** Undefined: nothing is shown. */
  readonly progress?: Progress | undefined
  /** Default: as they are given. */
  readonly order?: Order | undefined
  readonly connections: number
  readonly shards: number | undefined
  readonly wake: SideConfig['wake']
  readonly inlineWrites: SideConfig['inlineWrites']
  readonly pinTo: string | undefined
}

export interface LatencySample {
  readonly meanMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly count: number
  readonly wrong: number
  /** CPU time of both processes, all threads, per round trip. */
  readonly cpuMicros: number | undefined
  readonly distribution: Distribution
}

/** What the engines on both sides tell of round trips; nothing of a side that traces none. */
export interface TracedHops {
  readonly near: readonly HopStats[]
  readonly far: readonly HopStats[]
}

export interface OpenLoopSample {
  readonly count: number
  readonly wrong: number
  /** CPU time of both processes per round trip, all threads but the one that kept the times. */
  readonly cpuMicros: number | undefined
  /** From the time at which each was due to its answer. */
  readonly distribution: Distribution
  /** How long after that time each was sent. */
  readonly lateness: Distribution
  /** Of each, if they were asked for. */
  readonly times: NonNullable<OpenLoopResult['times']>
}

export interface ThroughputSample {
  readonly framesPerSecond: number
  readonly megabytesPerSecond: number
  readonly frames: number
  /** Frames and checksum arrived as sent. */
  readonly verified: boolean
  /** CPU time of the sending process's main thread per frame. */
  readonly mainNanosPerFrame: number | undefined
  /** The same of the receiving process. */
  readonly receiverNanosPerFrame: number | undefined
  readonly cpuMs: number | undefined
}

/** Nothing is known of a child process that is not one of ours. */
const NO_CPU: CpuUse = { mainThreadMs: 0, totalMs: 0 }

export class Contender {
  readonly name: string
  readonly #near: SideProcess
  readonly #far: SideProcess | undefined

  private constructor(name: string, near: SideProcess, far: SideProcess | undefined) {
    this.name = name
    this.#near = near
    this.#far = far
  }

  static async start(
    roles: 'latency' | 'throughput',
    config: ContenderConfig,
    settings: ContenderSettings,
  ): Promise<Contender> {
    const path = meetingPlace(settings.folder, config.name)
    const { connections, shards, wake, inlineWrites } = settings
    const { corkFrames, batches, framing, transport, engine, traceHops } = config
    const of = { corkFrames, batches, framing, transport, engine, traceHops }
    const common = { path, connections, shards, wake, inlineWrites, ...of }
    const [farRole, nearRole] = roles === 'latency' ? (['echo', 'ping'] as const) : (['sink', 'source'] as const)
    const far =
      config.far === undefined
        ? undefined
        : await SideProcess.start({ ...common, stack: config.far, role: farRole }, settings.pinTo)
    const near = await SideProcess.start({ ...common, stack: config.near, role: nearRole }, settings.pinTo)
    return new Contender(config.name, near, far)
  }

  /** Why its connections are not over shared memory, if they asked for it. */
  get fallback(): string | undefined {
    return this.#near.fallback
  }

  async latency(bytes: number, count: number): Promise<LatencySample> {
    const before = this.#readCpu()
    await this.#near.order({ kind: 'ping', bytes, count })
    const result = await this.#near.result('ping')
    const cpu = this.#cpuSince(before)
    return {
      ...result,
      distribution: Distribution.decoded(result.distribution),
      cpuMicros: cpu === undefined ? undefined : ((cpu.near.totalMs + cpu.far.totalMs) * 1000) / count,
    }
  }

  async resetHops(): Promise<void> {
    for (const side of [this.#near, this.#far]) await side?.order({ kind: 'reset-hops' })
  }

  /** Since the last reset. */
  async hops(): Promise<TracedHops> {
    const [near, far] = [await readHops(this.#near), this.#far && (await readHops(this.#far))]
    return { near, far: far ?? [] }
  }

  async openLoop(order: Omit<OpenLoopOrder, 'kind'>): Promise<OpenLoopSample> {
    const before = this.#readCpu()
    await this.#near.order({ kind: 'open-loop', ...order })
    const { count, wrong, distribution, lateness, pacerCpuMs, times = [] } = await this.#near.result('open-loop')
    const cpu = this.#cpuSince(before)
    const isTold = cpu !== undefined && pacerCpuMs !== undefined
    return {
      count,
      wrong,
      distribution: Distribution.decoded(distribution),
      lateness: Distribution.decoded(lateness),
      cpuMicros: isTold ? ((cpu.near.totalMs + cpu.far.totalMs - pacerCpuMs) * 1000) / count : undefined,
      times,
    }
  }

  /** While the far side's main thread is blocked for so long at a time, with such rests between. */
  async openLoopWhileBlocked(
    order: Omit<OpenLoopOrder, 'kind' | 'keepsTimes'>,
    block: Omit<BlockOrder, 'kind'>,
  ): Promise<OpenLoopSample & { readonly blocks: readonly Block[] }> {
    if (this.#far === undefined) throw new Error('there is no far side')
    await this.#far.order({ kind: 'block', ...block })
    const sample = await this.openLoop({ ...order, keepsTimes: true })
    await this.#far.order({ kind: 'unblock' })
    return { ...sample, blocks: (await this.#far.result('blocks')).blocks }
  }

  async throughput(bytes: number, frames: number): Promise<ThroughputSample> {
    if (this.#far === undefined) throw new Error('there is no receiver')
    await this.#far.order({ kind: 'sink', frames })
    const before = this.#readCpu()
    await this.#near.order({ kind: 'source', bytes, frames })
    const [sent, got] = await Promise.all([this.#near.result('source'), this.#far.result('sink')])
    const cpu = this.#cpuSince(before)
    const seconds = Number(BigInt(got.endedNs) - BigInt(sent.startedNs)) / 1e9
    return {
      framesPerSecond: frames / seconds,
      megabytesPerSecond: (frames * bytes) / seconds / 1e6,
      frames: got.frames,
      verified: verify(sent, got, bytes),
      mainNanosPerFrame: cpu === undefined ? undefined : (cpu.near.mainThreadMs * 1e6) / frames,
      receiverNanosPerFrame: cpu === undefined ? undefined : (cpu.far.mainThreadMs * 1e6) / frames,
      cpuMs: cpu === undefined ? undefined : cpu.near.totalMs + cpu.far.totalMs,
    }
  }

  /** True: both programs released everything they had opened. */
  async stop(): Promise<boolean> {
    const near = await this.#near.stop()
    const far = await this.#far?.stop()
    return near === 0 && (far ?? 0) === 0
  }

  #readCpu(): readonly [CpuReading | undefined, CpuReading | undefined] {
    return [readCpu(this.#near.pid), this.#far === undefined ? undefined : readCpu(this.#far.pid)]
  }

  #cpuSince([near, far]: readonly [CpuReading | undefined, CpuReading | undefined]):
    { near: CpuUse; far: CpuUse } | undefined {
    const nearUse = cpuUsed(this.#near.pid, near, readCpu(this.#near.pid))
    const farUse = this.#far === undefined ? NO_CPU : cpuUsed(this.#far.pid, far, readCpu(this.#far.pid))
    return nearUse === undefined || farUse === undefined ? undefined : { near: nearUse, far: farUse }
  }
}

async function readHops(side: SideProcess): Promise<readonly HopStats[]> {
  await side.order({ kind: 'report-hops' })
  const { hops } = await side.result('hops')
  return hops
}

function verify(
  sent: Extract<Result, { kind: 'source' }>,
  got: Extract<Result, { kind: 'sink' }>,
  bytes: number,
): boolean {
  return got.frames === sent.frames && got.bytes === sent.frames * bytes && got.checksum === sent.checksum
}
