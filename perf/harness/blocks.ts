/** What came of the time in which a main thread was blocked. */
import type { Block, OpenLoopResult } from './messages.js'
import { median } from './statistics.js'

type Times = NonNullable<OpenLoopResult['times']>

export interface BlockedRequests {
  /** Answers that came while the server's main thread was blocked, a second of such time. */
  readonly answersPerSecond: number
  /** From a block's end until the last request that was sent before is answered, milliseconds: half of the blocks. */
  readonly recoveryMs: number
  readonly longestRecoveryMs: number
}

/** Blocks that end after the last answer are left out: nothing is known of them. */
export function blockedRequests(blocks: readonly Block[], times: Times): BlockedRequests {
  const last = times.reduce((latest, { answered }) => Math.max(latest, answered), 0)
  const first = times.reduce((earliest, { sent }) => Math.min(earliest, sent), Infinity)
  const seen = blocks.filter(({ from, to }) => from >= first && to <= last)
  const blockedMs = seen.reduce((sum, { from, to }) => sum + to - from, 0)
  const isIn = (at: number): boolean => seen.some(({ from, to }) => at >= from && at < to)
  const answers = times.filter(({ answered }) => isIn(answered)).length
  const recoveries = seen.map(({ to }) =>
    times.reduce((most, { sent, answered }) => (sent < to ? Math.max(most, answered - to) : most), 0),
  )
  return {
    answersPerSecond: (answers * 1_000) / blockedMs,
    recoveryMs: median(recoveries),
    longestRecoveryMs: recoveries.length === 0 ? NaN : Math.max(...recoveries),
  }
}

export interface LeftDuring {
  /** Of what was sent before a block, in percent: half of the blocks. */
  readonly percent: number
  /** From the end of a block until the peer has all, milliseconds; 0: it has had it before. Half of the blocks. */
  readonly restMs: number
}

/** `arrivals`: when each frame was there, burst after burst, one burst before each block. */
export function leftDuring(blocks: readonly Block[], arrivals: readonly number[]): LeftDuring {
  const frames = arrivals.length / blocks.length
  const bursts = blocks.map(({ to }, index) => ({ to, own: arrivals.slice(index * frames, (index + 1) * frames) }))
  return {
    percent: median(bursts.map(({ to, own }) => (own.filter((at) => at <= to).length / frames) * 100)),
    restMs: median(bursts.map(({ to, own }) => Math.max(0, (own.at(-1) ?? NaN) - to))),
  }
}
