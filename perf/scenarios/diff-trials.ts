/** What `diff` measures: each trial is a scenario under one set of conditions, between the same three contenders. */
import type { ContenderConfig, ContenderSettings } from '../harness/contender.js'
import { SOCKETS, type Transport } from '../harness/meeting-place.js'
import type { Order } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { compareAcceptors, type AcceptingConfig } from './accepts.js'
import { compareRoundTrips } from './latency.js'
import { compareServers, type ServerConfig } from './fan-in.js'
import { compareStreams, CORKED_FRAMES, framesFor } from './throughput.js'

/** Of an engine: the URL of its `api/index.js`; undefined: this tree's. */
export interface Engines {
  readonly base: string | undefined
  readonly head: string | undefined
}

export interface TrialOutcome {
  readonly right: boolean
  readonly figures: readonly Figure[]
}

export interface TrialPlan extends ContenderSettings {
  readonly engines: Engines
  /** Whether head comes before base where both begin, and in the first turn. */
  readonly headFirst: boolean
  /** How often each contender takes its turn. */
  readonly rounds: number
  /** What is done in a turn; undefined: as much as takes `seconds`. */
  readonly count: number | undefined
  readonly seconds: number
}

export interface Trial {
  readonly scenario: DiffScenario
  /** What it asks of an engine. */
  readonly transport: Transport
  /** What its figures say besides their own conditions. */
  readonly at: Figure['at']
  /** The figures that are judged: no more than tell something, since each makes all others less sure. */
  readonly metrics: readonly string[]
  /** With programs that it starts and ends. */
  run(plan: TrialPlan): Promise<TrialOutcome>
}

export const diffScenarios = ['latency', 'throughput', 'requests', 'accepts'] as const

export type DiffScenario = (typeof diffScenarios)[number]

export interface Selection {
  readonly scenarios: readonly DiffScenario[]
  readonly transports: readonly Transport[]
  /** Undefined: each scenario's own. */
  readonly sizes: readonly number[] | undefined
}

/** Code is compiled, rings become resident: the first ten thousand take two to three times as long. */
const WARM_UP_TRIPS = 20_000
const WARM_UP_REQUESTS = 20_000
const CLIENTS = 10
const CALLS = 2_000
const CALLERS = 32
const SMALL = 64
const STREAM_SIZES: readonly number[] = [SMALL, 65_536]

export function trialsOf({ scenarios, transports, sizes }: Selection): Trial[] {
  return scenarios.flatMap((scenario) => {
    switch (scenario) {
      case 'latency':
        return (sizes ?? [SMALL]).flatMap((bytes) => transports.map((transport) => roundTrips(bytes, transport)))
      case 'throughput':
        return (sizes ?? STREAM_SIZES).flatMap((bytes) => transports.map((transport) => stream(bytes, transport)))
      case 'requests':
        return (sizes ?? [SMALL]).map(requests)
      case 'accepts':
        return [accepts]
    }
  })
}

/** `net` first, and the other two in turn: so each comes after `net` as often as after the other one. */
function inOrder<Config>(net: Config, base: Config, head: Config, { headFirst }: TrialPlan): Config[] {
  return headFirst ? [net, head, base] : [net, base, head]
}

/** The last two change places every other turn: what drifts, and what one leaves to the next, affects both alike. */
const lastTwoSwap: Order = (items, turn) =>
  turn % 2 === 0 ? items : [...items.slice(0, -2), ...items.slice(-2).reverse()]

function between(corkFrames: number, transport: Transport, plan: TrialPlan): ContenderConfig[] {
  const { base, head } = plan.engines
  const engine = { near: 'engine', far: 'engine', corkFrames: 1, transport } as const
  return inOrder<ContenderConfig>(
    { name: 'net', near: 'net', far: 'net', corkFrames },
    { ...engine, name: 'base', engine: base },
    { ...engine, name: 'head', engine: head },
    plan,
  )
}

function roundTrips(bytes: number, transport: Transport): Trial {
  return {
    scenario: 'latency',
    transport,
    at: { transport },
    metrics: ['round trip, median', 'CPU of a round trip'],
    async run(plan) {
      const { count } = plan
      const warmUp = Math.min(WARM_UP_TRIPS, count ?? Infinity)
      const amount = count === undefined ? { count: 1 } : { count, seconds: undefined }
      const configs = between(1, transport, plan)
      const order = lastTwoSwap
      const report = await compareRoundTrips(configs, { ...plan, ...amount, order, bytes, warmUp })
      return { right: report.released && report.rows.every(({ wrong }) => wrong === 0), figures: report.figures }
    },
  }
}

function stream(bytes: number, transport: Transport): Trial {
  return {
    scenario: 'throughput',
    transport,
    at: { transport },
    metrics: ['stream', "sending main thread's CPU of a frame", "receiving main thread's CPU of a frame"],
    async run(plan) {
      const { count } = plan
      const amount = count === undefined ? { frames: framesFor(bytes) } : { frames: count, seconds: undefined }
      const configs = between(CORKED_FRAMES, transport, plan)
      const report = await compareStreams(configs, { ...plan, ...amount, order: lastTwoSwap, bytes })
      return { right: report.released && report.rows.every(({ verified }) => verified), figures: report.figures }
    },
  }
}

function requests(bytes: number): Trial {
  return {
    scenario: 'requests',
    transport: SOCKETS,
    at: {},
    metrics: ['requests', 'CPU of a request'],
    async run(plan) {
      const { engines, count } = plan
      const asked = Math.max(CLIENTS, count ?? 0)
      const warmUp = count === undefined ? WARM_UP_REQUESTS : asked
      const amount = count === undefined ? { count: 1 } : { count: asked, seconds: undefined }
      const servers = inOrder<ServerConfig>(
        { name: 'net', stack: 'net' },
        { name: 'base', stack: 'engine', engine: engines.base },
        { name: 'head', stack: 'engine', engine: engines.head },
        plan,
      )
      const order = lastTwoSwap
      const report = await compareServers(servers, { ...plan, ...amount, order, bytes, warmUp, clients: CLIENTS })
      return { right: report.released && report.rows.every(({ wrong }) => wrong === 0), figures: report.figures }
    },
  }
}

const accepts: Trial = {
  scenario: 'accepts',
  transport: SOCKETS,
  at: {},
  metrics: ['accepted connections', 'CPU of a connection'],
  async run(plan) {
    const { engines, count = CALLS, folder, rounds, shards, pinTo } = plan
    const acceptors = inOrder<AcceptingConfig>(
      { name: 'net', stack: 'net', shards },
      { name: 'base', stack: 'engine', shards, engine: engines.base },
      { name: 'head', stack: 'engine', shards, engine: engines.head },
      plan,
    )
    const order = lastTwoSwap
    const reports = await compareAcceptors(acceptors, {
      ...{ folder, rounds, count, pinTo, order },
      atOnce: CALLERS,
      callings: ['echo'],
    })
    const right = reports.every(({ released, rows }) => released && rows.every(({ wrong }) => wrong === 0))
    return { right, figures: reports.flatMap(({ figures }) => figures) }
  },
}
