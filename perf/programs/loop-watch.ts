/** How late the event loop of the main thread is. */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'
import type { DelayResult } from '../harness/messages.js'

const RESOLUTION_MS = 2

export class LoopWatch {
  #histogram: IntervalHistogram | undefined

  begin(): void {
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#histogram.enable()
  }

  report(): DelayResult {
    const histogram = this.#histogram
    histogram?.disable()
    // Nothing was recorded.
    if (histogram === undefined || histogram.max === 0) return { kind: 'delay', delay: undefined }
    // It records the time from one tick of its timer to the next.
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    const at = (percentile: number): number => late(histogram.percentile(percentile))
    return { kind: 'delay', delay: { p50Ms: at(50), p99Ms: at(99), maxMs: late(histogram.max) } }
  }
}
