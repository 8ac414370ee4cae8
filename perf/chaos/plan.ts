/** Makes a list of faults with all their parameters from a seed: the same seed gives the same list. */
import { Random } from '../harness/seeded-random.js'
import { MAX_FRAME_BYTES } from './peer-framing.js'
import type { Misbehaviour } from './misbehaviour.js'
import type { Fault as Death } from './strikes.js'

/**
 * The targets of faults: a process that listens on a Unix socket, a child of the engine, a listener in the engine, a
 * listener in the engine on a Unix socket, a process to which frames go through shared memory, one that shares none and
 * goes on over the socket, and a handler module in the shards of the engine.
 */
export const targetNames = ['unix', 'stdio', 'memory', 'hosted', 'shared', 'fallen-back', 'handlers'] as const

export type TargetName = (typeof targetNames)[number]

export const abortedCalls = [
  'connect',
  'connect-child',
  'connect-shared',
  'listen',
  'accept',
  'receive',
  'ready',
  'end',
  'reconnecting-ready',
  'reconnecting-receive',
  'reconnecting-connected',
  'reconnecting-end',
  'acquire',
] as const

export type AbortedCall = (typeof abortedCalls)[number]

/** What happens to a target. */
export type Action =
  | { readonly kind: 'peer killed' }
  /**
   * Stopped until its connection cannot send any more, or until its heartbeat gives the connection up, then continued.
   */
  | { readonly kind: 'peer stopped'; readonly until: 'stalled' | 'given up' }
  /** The peer misbehaves. */
  | { readonly kind: 'peer errs'; readonly order: Misbehaviour }
  /** Killed, and started again once `attempts` attempts to connect have failed. */
  | { readonly kind: 'refused'; readonly attempts: number }
  /** Its socket file is deleted and the connection cut; it listens again once `attempts` attempts have failed. */
  | { readonly kind: 'file deleted'; readonly attempts: number }
  /** The host has no descriptor left while the connection is cut, until `attempts` attempts have failed. */
  | { readonly kind: 'descriptors'; readonly attempts: number }
  /** The worker thread that carries the connection dies. */
  | { readonly kind: 'worker'; readonly death: Death }
  /** Calls beside the traffic, each aborted after `turns` turns of the event loop. */
  | {
      readonly kind: 'aborts'
      readonly calls: readonly { readonly call: AbortedCall; readonly turns: number }[]
    }

export interface Fault {
  readonly index: number
  readonly target: TargetName
  /** It strikes once this many more echoes have come. */
  readonly afterEchoes: number
  /** It strikes as soon as the fault before it has struck, instead of when the target has recovered. */
  readonly atOnce: boolean
  readonly action: Action
}

type Draw = (random: Random) => Action

const errs =
  (order: (random: Random) => Misbehaviour): Draw =>
  (random) => ({ kind: 'peer errs', order: order(random) })
const dies =
  (death: Death): Draw =>
  () => ({ kind: 'worker', death })
const attempts = (random: Random): number => random.between(1, 4)

const everywhere = targetNames
/** Whose peers can send bytes that are no frame. */
const streams = ['unix', 'stdio', 'memory', 'hosted', 'fallen-back', 'handlers'] as const
/** Processes that listen. */
const servers = ['unix', 'shared', 'fallen-back'] as const
const processes = [...servers, 'stdio'] as const
/** Whether a connection outlives the worker thread that has connected it. */
export function outlivesWorkers(name: TargetName): boolean {
  return name === 'shared'
}

/** Whether the peer is a separate process. */
export function isProcess(name: TargetName): boolean {
  return processes.some((other) => other === name)
}

const listening = [...servers, 'memory', 'hosted', 'handlers'] as const
const threads = ['unix', 'stdio', 'memory', 'shared', 'fallen-back', 'handlers'] as const

/** Which faults apply to which targets. In each round of the plan every line happens once to each of its targets. */
const lines: readonly (readonly [readonly TargetName[], Draw])[] = [
  [processes, () => ({ kind: 'peer killed' })],
  [everywhere, () => ({ kind: 'peer stopped', until: 'stalled' })],
  // The target whose connection has a heartbeat.
  [['unix'], () => ({ kind: 'peer stopped', until: 'given up' })],
  [
    streams,
    errs((random) => ({
      do: 'half-frame',
      keep: random.between(1, 4_000),
      then: random.oneIn(2) ? 'end' : 'cut',
    })),
  ],
  [streams, errs((random) => ({ do: 'garbage', bytes: random.between(4, 20_000), seed: random.below(2 ** 31) }))],
  [streams, errs((random) => ({ do: 'oversized', announce: random.between(MAX_FRAME_BYTES + 1, 2 ** 31 - 1) }))],
  [everywhere, errs(() => ({ do: 'end' }))],
  [everywhere, errs(() => ({ do: 'cut' }))],
  [listening, errs((random) => ({ do: 'refuse', count: attempts(random) }))],
  [servers, (random) => ({ kind: 'refused', attempts: attempts(random) })],
  [servers, (random) => ({ kind: 'file deleted', attempts: attempts(random) })],
  [processes, (random) => ({ kind: 'descriptors', attempts: attempts(random) })],
  [everywhere, dies('exit')],
  [threads, dies('throw')],
  [['unix'], dies('rejection')],
  [['memory', 'handlers'], dies('memory')],
  [['stdio', 'handlers'], dies('stuck')],
  [threads, drawAborts],
]

function drawAborts(random: Random): Action {
  return {
    kind: 'aborts',
    calls: Array.from({ length: random.between(2, 10) }, () => ({
      call: abortedCalls[random.below(abortedCalls.length)] ?? 'connect',
      turns: random.oneIn(3) ? 0 : random.below(60),
    })),
  }
}

/** While the host has no descriptor left, or gets them back one by one, no other fault may need one. */
function standsAlone({ kind }: Action): boolean {
  return kind === 'descriptors'
}

export function planFaults(seed: number, count: number, targets: readonly TargetName[]): Fault[] {
  const random = new Random(seed)
  const round = lines.flatMap(([names, draw]) =>
    names.filter((name) => targets.includes(name)).map((target) => ({ target, draw })),
  )
  const faults: Fault[] = []
  let bag: typeof round = []
  while (faults.length < count) {
    if (bag.length === 0) bag = [...round]
    const [drawn] = bag.splice(random.below(bag.length), 1)
    if (drawn === undefined) break
    const action = drawn.draw(random)
    const before = faults.at(-1)
    const atOnce = random.oneIn(6) && before !== undefined && !standsAlone(before.action)
    faults.push({
      index: faults.length,
      target: drawn.target,
      afterEchoes: random.oneIn(4) ? 0 : random.below(40),
      atOnce: atOnce && !standsAlone(action),
      action,
    })
  }
  return faults
}

/** What the report counts it under. */
export function kindOf({ action }: Fault): string {
  switch (action.kind) {
    case 'peer errs':
      return `peer: ${action.order.do}`
    case 'worker':
      return `worker: ${action.death}`
    case 'peer stopped':
      return `peer stopped: ${action.until}`
    default:
      return action.kind
  }
}
