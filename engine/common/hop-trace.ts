/**
 * Where the time of round trips goes: a histogram for each hop. The hops of one round trip follow each other without a
 * gap and are recorded together, so that they add up to it. Off, there is no such object, and nothing reads a clock.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { hopClock, TICKS_A_MICRO, type HopClock } from '../protocol/hop-clock.js'
import { debugHops } from './trace.js'

/** A round trip has either the second or the next two of them. */
export type HopName =
  | 'sendToFlush'
  | 'flushToWritten'
  | 'flushToShard'
  | 'shardToWritten'
  | 'writtenToRead'
  | 'readToMain'
  | 'mainToHost'
  | 'hostToSend'

/** In the order of the way. */
export const hopNames: readonly HopName[] = [
  'sendToFlush',
  'flushToWritten',
  'flushToShard',
  'shardToWritten',
  'writtenToRead',
  'readToMain',
  'mainToHost',
  'hostToSend',
]

/** What one hop took in all round trips that had it. Times are in microseconds, and 0 while there was none. */
export interface HopStats {
  readonly hop: HopName
  readonly count: number
  readonly meanMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly maxMicros: number
}

const NANOS_A_TICK = 1000 / TICKS_A_MICRO
/** Ten seconds. What takes longer counts as that: a histogram has memory for what it may hold. */
const MOST_NANOS = 1e10

export class HopTrace {
  readonly now: HopClock
  /** When main last began to look at what shards have notified it of. */
  wokenAt = 0
  readonly #histograms: Readonly<Record<HopName, RecordableHistogram>>

  constructor(now: HopClock) {
    this.now = now
    const histograms = hopNames.map((hop) => [hop, createHistogram({ lowest: 1, highest: MOST_NANOS, figures: 3 })])
    this.#histograms = Object.fromEntries(histograms) as Record<HopName, RecordableHistogram>
  }

  readonly woken = (): void => {
    this.wokenAt = this.now()
  }

  record(hop: HopName, from: number, to: number): void {
    // A histogram holds nothing below 1.
    this.#histograms[hop].record(Math.min(Math.max(1, (to - from) * NANOS_A_TICK), MOST_NANOS))
  }

  stats(): readonly HopStats[] {
    return hopNames.map((hop) => {
      const histogram = this.#histograms[hop]
      const { count } = histogram
      const micros = (nanos: number): number => (count === 0 ? 0 : nanos / 1000)
      return {
        hop,
        count,
        meanMicros: micros(histogram.mean),
        p50Micros: micros(histogram.percentile(50)),
        p99Micros: micros(histogram.percentile(99)),
        maxMicros: micros(histogram.max),
      }
    })
  }

  reset(): void {
    for (const hop of hopNames) this.#histograms[hop].reset()
  }

  /** To stderr, if the environment asks for it. */
  print(): void {
    for (const { hop, count, meanMicros, p50Micros, p99Micros, maxMicros } of this.stats()) {
      const figures = [meanMicros, p50Micros, p99Micros, maxMicros].map((micros) => micros.toFixed(1))
      debugHops('%s: %d, mean %s, p50 %s, p99 %s, max %s us', hop, count, ...figures)
    }
  }
}

/** `isWanted`: by the engine's option. Undefined: hops are not traced. */
export function hopTraceFor(isWanted: boolean): HopTrace | undefined {
  return isWanted || debugHops.enabled ? new HopTrace(hopClock) : undefined
}
