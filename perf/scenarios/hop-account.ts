/** What hops say of round trips: which part each has, and whether they explain the whole. */
import type { HopName, HopStats } from '../../api/index.js'
import type { TracedHops } from '../harness/contender.js'

/** What the host does between the answer and the next question is no part of a round trip. */
const OF_THE_HOST: HopName = 'hostToSend'
/** What lies between a question and its answer. At the peer it is what lies between an answer and the next question. */
const ELSEWHERE: HopName = 'writtenToRead'
/** There, in the order of the way. */
const AT_PEER: readonly HopName[] = [
  'readToMain',
  'mainToHost',
  'hostToSend',
  'sendToFlush',
  'flushToWritten',
  'flushToShard',
  'shardToWritten',
]

/** So much of the whole may be missing or too much. */
const TOLERANCE = 0.1

export interface HopRow extends Pick<HopStats, 'count' | 'meanMicros'> {
  readonly name: string
  /** `peer`: the time that another row calls `writtenToRead`, as the peer tells it. */
  readonly side: 'near' | 'peer'
  /** Undefined: it is what others leave. */
  readonly p50Micros: number | undefined
  readonly p99Micros: number | undefined
  /** Of the mean of a round trip, 0 to 1. */
  readonly share: number
}

/** What a round trip takes, as the side that asks has measured it. */
export interface MeasuredTrip {
  readonly meanMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
}

export interface HopAccount {
  readonly rows: readonly HopRow[]
  /** Round trips, and how many of them the hops are of. */
  readonly trips: number
  readonly followed: number
  readonly sumMicros: number
  readonly traced: MeasuredTrip
  readonly untraced: MeasuredTrip
  /** What the hops add up to, by what the round trip takes. */
  readonly explained: number
  readonly isExplained: boolean
  /** Every hop that each round trip has was counted as often, and hardly any round trip was left out. */
  readonly isComplete: boolean
}

/** `traced`: with the trace on, `untraced`: with the trace off. */
export function accountOf(
  { near, far }: TracedHops,
  trips: number,
  traced: MeasuredTrip,
  untraced: MeasuredTrip,
): HopAccount {
  const whole = traced.meanMicros
  const followed = followedBy(near)
  const atPeer = followedBy(far)
  const ours = near.filter(({ hop, count }) => hop !== OF_THE_HOST && count > 0)
  const theirs = AT_PEER.flatMap((name) => far.filter(({ hop, count }) => hop === name && count > 0))
  const sum = (hops: readonly HopStats[], of: number): number =>
    hops.reduce((total, { meanMicros, count }) => total + (meanMicros * count) / of, 0)
  const rowOf = (hop: HopStats, side: HopRow['side'], of: number): HopRow => {
    const { hop: name, count, meanMicros, p50Micros, p99Micros } = hop
    return { name, side, count, meanMicros, p50Micros, p99Micros, share: (meanMicros * count) / of / whole }
  }
  const peerRows = theirs.map((hop) => rowOf(hop, 'peer', atPeer))
  if (theirs.length > 0) {
    const elsewhere = ours.filter(({ hop }) => hop === ELSEWHERE)
    const meanMicros = sum(elsewhere, followed) - sum(theirs, atPeer)
    const share = meanMicros / whole
    const rest = { p50Micros: undefined, p99Micros: undefined, share }
    peerRows.push({ name: 'on the way, both directions', side: 'peer', count: followed, meanMicros, ...rest })
  }
  const rows = ours.flatMap((hop) => [rowOf(hop, 'near', followed), ...(hop.hop === ELSEWHERE ? peerRows : [])])
  const sumMicros = sum(ours, followed)
  const explained = sumMicros / whole
  return {
    rows,
    trips,
    followed,
    sumMicros,
    traced,
    untraced,
    explained,
    isExplained: Math.abs(explained - 1) <= TOLERANCE,
    isComplete: isComplete(near, trips),
  }
}

function countOf(hops: readonly HopStats[], name: HopName): number {
  return hops.find(({ hop }) => hop === name)?.count ?? 0
}

function followedBy(hops: readonly HopStats[]): number {
  return countOf(hops, 'mainToHost')
}

/** Of a hundred one may be left out: the answer can be there before the shard has noted that it wrote the question. */
function isComplete(near: readonly HopStats[], trips: number): boolean {
  const count = (name: HopName): number => countOf(near, name)
  const followed = followedBy(near)
  return (
    followed <= trips &&
    followed >= trips * 0.99 &&
    count('sendToFlush') === followed &&
    count('flushToWritten') + count('shardToWritten') === followed &&
    count('flushToShard') === count('shardToWritten') &&
    count('writtenToRead') === followed &&
    count('readToMain') <= followed
  )
}

/** The mean of each hop in each round, from what was told after each of them of all until then. */
export function meansOfRounds(told: readonly (readonly HopStats[])[]): ReadonlyMap<HopName, number[]> {
  const means = new Map<HopName, number[]>()
  for (const [round, hops] of told.entries()) {
    for (const { hop, count, meanMicros } of hops) {
      const before = told[round - 1]?.find((one) => one.hop === hop)
      const more = count - (before?.count ?? 0)
      if (more === 0) continue
      const total = meanMicros * count - (before === undefined ? 0 : before.meanMicros * before.count)
      means.set(hop, [...(means.get(hop) ?? []), total / more])
    }
  }
  return means
}
