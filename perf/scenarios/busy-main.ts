/**
 * What reaches peers while a main thread is blocked for some time, again and again. Two parts: a server that is asked
 * meanwhile, by requests that are due at fixed times, and a program that has sent a lot before it is blocked.
 */
import type { FramingKind } from '../../engine/protocol/framing.js'
import { blockedRequests, type BlockedRequests } from '../harness/blocks.js'
import { BurstsContender, type BurstsConfig, type BurstsSample } from '../harness/bursts-contender.js'
import { Contender, type ContenderConfig, type ContenderSettings, type OpenLoopSample } from '../harness/contender.js'
import { SOCKETS, type Transport } from '../harness/meeting-place.js'
import type { BurstsOrder } from '../harness/messages.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'

export interface BusyMainPlan extends ContenderSettings {
  readonly rounds: number
  readonly transports: readonly Transport[]
  /** How long each block is, milliseconds. */
  readonly blocks: readonly number[]
  /** Of the time, so much is blocked: 0 to 1. */
  readonly duty: number
  /** Requests a second, over all connections in turn. */
  readonly rateHz: number
  /** Of a round of requests. */
  readonly seconds: number
  /** What is sent before a block, one after the other. */
  readonly burstSizes: readonly number[]
  /** Of a round. */
  readonly bursts: number
}

export interface BlockedServerRow extends BlockedRequests {
  readonly name: string
  readonly p50Micros: number
  readonly p99Micros: number
  readonly longestMicros: number
  readonly count: number
  readonly wrong: number
}

export interface BlockedSenderRow {
  readonly name: string
  readonly atOncePercent: number
  readonly laterPercent: number
  readonly atOnceRestMs: number
  readonly laterRestMs: number
  readonly frames: number
  readonly verified: boolean
}

export interface BlockedSenders {
  readonly burstBytes: number
  readonly rows: readonly BlockedSenderRow[]
}

export interface BusyMainReport {
  readonly blockMs: number
  readonly duty: number
  readonly rateHz: number
  readonly connections: number
  readonly servers: readonly BlockedServerRow[]
  readonly senders: readonly BlockedSenders[]
  readonly figures: readonly Figure[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
  /** Why connections are not over shared memory, if they should be. */
  readonly fallback: string | undefined
}

const BYTES = 64
const BURST_FRAME_BYTES = 4_096
const WARM_UP = 1_000

type ServerSample = OpenLoopSample & BlockedRequests
type SenderSamples = ReadonlyMap<string, readonly BurstsSample[]>

interface Sent extends Record<BurstsOrder['when'], SenderSamples> {
  readonly burstBytes: number
}

/** The first is the baseline. Its clients are plain `net`, but those over shared memory. */
function serversOver(transports: readonly Transport[]): readonly ContenderConfig[] {
  const common = { corkFrames: 1, framing: 'length' as FramingKind }
  const engines = transports.flatMap((transport): ContenderConfig[] => {
    const over = transport === SOCKETS ? '' : `, ${transport}`
    const near = transport === 'shm' ? 'engine' : 'net'
    return [
      { ...common, name: `engine${over}`, near, far: 'engine', transport },
      { ...common, name: `engine, handler module${over}`, near, far: 'engine-module', transport },
    ]
  })
  return [{ ...common, name: 'net', near: 'net', far: 'net' }, ...engines]
}

function sendersOver(transports: readonly Transport[]): readonly BurstsConfig[] {
  return [true, false].flatMap((dials): BurstsConfig[] => {
    const side = dials ? 'dialled' : 'accepted'
    const engines = transports.map((transport): BurstsConfig => {
      const over = transport === SOCKETS ? '' : `, ${transport}`
      return { name: `engine, ${side}${over}`, sender: 'engine', dials, transport }
    })
    return [{ name: `net, ${side}`, sender: 'net', dials, transport: SOCKETS }, ...engines]
  })
}

interface Part<Sample> {
  readonly byBlock: ReadonlyMap<number, Sample>
  readonly released: boolean
  readonly fallback: string | undefined
}

/** Starts all, does something with them, and stops them. */
async function withAll<Config, Started extends Stoppable, T>(
  configs: readonly Config[],
  start: (config: Config) => Promise<Started>,
  use: (all: readonly Started[]) => Promise<T>,
): Promise<{ readonly result: T; readonly released: boolean; readonly fallback: string | undefined }> {
  const all: Started[] = []
  let released = true
  let result: T
  let fallback: string | undefined
  try {
    for (const config of configs) all.push(await start(config))
    for (const one of all) fallback ??= one.fallback
    result = await use(all)
  } finally {
    for (const one of all) if (!(await one.stop())) released = false
  }
  return { result, released, fallback }
}

interface Stoppable {
  readonly fallback: string | undefined
  stop(): Promise<boolean>
}

async function measureServers(plan: BusyMainPlan): Promise<Part<ReadonlyMap<string, readonly ServerSample[]>>> {
  const { transports, blocks, duty, rateHz, seconds, rounds, progress } = plan
  const { result, ...end } = await withAll(
    serversOver(transports),
    (config) => Contender.start('latency', config, plan),
    async (all) => {
      // The first thousand requests run several times slower: code is compiled, rings become resident.
      for (const contender of all) await contender.latency(BYTES, WARM_UP)
      const byBlock = new Map<number, ReadonlyMap<string, readonly ServerSample[]>>()
      for (const blockMs of blocks) {
        const restMs = (blockMs * (1 - duty)) / duty
        // However short a round is, some blocks end in it.
        const count = Math.ceil((rateHz * Math.max(seconds * 1_000, 3 * (blockMs + restMs))) / 1_000)
        const measure = async (contender: Contender): Promise<ServerSample> => {
          const sample = await contender.openLoopWhileBlocked({ bytes: BYTES, count, rateHz }, { blockMs, restMs })
          return { ...sample, ...blockedRequests(sample.blocks, sample.times), times: [] }
        }
        byBlock.set(blockMs, await interleave(all, rounds, measure, progress))
      }
      return byBlock
    },
  )
  return { byBlock: result, ...end }
}

async function measureSenders(plan: BusyMainPlan): Promise<Part<readonly Sent[]>> {
  const { transports, blocks, burstSizes, bursts, rounds, progress } = plan
  const { result, ...end } = await withAll(
    sendersOver(transports),
    (config) => BurstsContender.start(config, plan),
    async (all) => {
      const byBlock = new Map<number, readonly Sent[]>()
      for (const blockMs of blocks) {
        const sent: Sent[] = []
        for (const burstBytes of burstSizes) {
          const frames = Math.max(1, Math.round(burstBytes / BURST_FRAME_BYTES))
          const run = (when: BurstsOrder['when']): Promise<SenderSamples> => {
            const order = { bytes: BURST_FRAME_BYTES, frames, count: bursts, blockMs, when }
            return interleave(all, rounds, (contender) => contender.measure(order), progress)
          }
          sent.push({ burstBytes, 'at once': await run('at once'), 'a turn later': await run('a turn later') })
        }
        byBlock.set(blockMs, sent)
      }
      return byBlock
    },
  )
  return { byBlock: result, ...end }
}

export async function runBusyMain(plan: BusyMainPlan): Promise<readonly BusyMainReport[]> {
  const servers = await measureServers(plan)
  const senders = await measureSenders(plan)
  const { duty, rateHz, connections } = plan
  return plan.blocks.flatMap((blockMs): BusyMainReport[] => {
    const [asked, sent] = [servers.byBlock.get(blockMs), senders.byBlock.get(blockMs)]
    if (asked === undefined || sent === undefined) return []
    return [
      {
        ...{ blockMs, duty, rateHz, connections },
        servers: serverRows(asked),
        senders: sent.map((one) => ({ burstBytes: one.burstBytes, rows: senderRows(one) })),
        figures: [...serverFigures(plan, blockMs, asked), ...sent.flatMap((one) => senderFigures(blockMs, one))],
        released: servers.released && senders.released,
        fallback: servers.fallback ?? senders.fallback,
      },
    ]
  })
}

function serverRows(samples: ReadonlyMap<string, readonly ServerSample[]>): readonly BlockedServerRow[] {
  return [...samples].map(([name, own]) => {
    const mid = (figure: (sample: ServerSample) => number): number => medianOf(own, figure) ?? NaN
    return {
      name,
      p50Micros: mid(({ distribution }) => distribution.micros(50)),
      p99Micros: mid(({ distribution }) => distribution.micros(99)),
      longestMicros: Math.max(...own.map(({ distribution }) => distribution.micros(100))),
      answersPerSecond: mid(({ answersPerSecond }) => answersPerSecond),
      recoveryMs: mid(({ recoveryMs }) => recoveryMs),
      longestRecoveryMs: Math.max(...own.map(({ longestRecoveryMs }) => longestRecoveryMs)),
      count: own.reduce((sum, { count }) => sum + count, 0),
      wrong: own.reduce((sum, { wrong }) => sum + wrong, 0),
    }
  })
}

function senderRows(samples: Sent): readonly BlockedSenderRow[] {
  return [...samples['at once']].map(([name, atOnce]) => {
    const later = samples['a turn later'].get(name) ?? []
    const all = [...atOnce, ...later]
    return {
      name,
      atOncePercent: medianOf(atOnce, ({ percent }) => percent) ?? NaN,
      laterPercent: medianOf(later, ({ percent }) => percent) ?? NaN,
      atOnceRestMs: medianOf(atOnce, ({ restMs }) => restMs) ?? NaN,
      laterRestMs: medianOf(later, ({ restMs }) => restMs) ?? NaN,
      frames: all.reduce((sum, { frames }) => sum + frames, 0),
      verified: all.every(({ verified }) => verified),
    }
  })
}

function serverFigures(
  { duty, rateHz, connections }: BusyMainPlan,
  blockMs: number,
  asked: ReadonlyMap<string, readonly ServerSample[]>,
): readonly Figure[] {
  return figuresOf(asked, { 'block ms': blockMs, 'blocked %': duty * 100, rate: rateHz, connections }, [
    {
      metric: 'request to a blocked server, median',
      unit: 'us',
      better: 'lower',
      of: ({ distribution }) => distribution.micros(50),
      distribution: ({ distribution }) => distribution,
    },
    {
      metric: 'request to a blocked server, p99',
      unit: 'us',
      better: 'lower',
      of: ({ distribution }) => distribution.micros(99),
    },
    {
      metric: 'answers during blocks',
      unit: 'requests/s',
      better: 'higher',
      of: ({ answersPerSecond }) => answersPerSecond,
    },
    {
      metric: 'from the end of a block until all that waited is answered',
      unit: 'ms',
      better: 'lower',
      of: ({ recoveryMs }) => recoveryMs,
    },
  ])
}

function senderFigures(blockMs: number, sent: Sent): readonly Figure[] {
  return (['at once', 'a turn later'] as const).flatMap((when) =>
    figuresOf(sent[when], { 'block ms': blockMs, 'burst bytes': sent.burstBytes, blocked: when }, [
      {
        metric: 'of what was sent before a block, there at its end',
        unit: '%',
        better: 'higher',
        of: ({ percent }) => percent,
      },
      {
        metric: 'from the end of a block until the rest is there',
        unit: 'ms',
        better: 'lower',
        of: ({ restMs }) => restMs,
      },
    ]),
  )
}
