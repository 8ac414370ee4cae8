/** What a hub counts of a flood, and how late its main thread's timers are meanwhile. */
import type { HubResult } from '../harness/messages.js'
import { summarize } from '../harness/statistics.js'

const TIMER_MS = 5

export class Hub {
  #frames = 0
  #bytes = 0
  #startedAt = 0
  #late: number[] = []
  #timer: NodeJS.Timeout | undefined

  count(frame: Buffer): void {
    this.#frames++
    this.#bytes += frame.length
  }

  watch(): void {
    this.#frames = 0
    this.#bytes = 0
    this.#late = []
    this.#startedAt = performance.now()
    this.#next()
  }

  report(): HubResult {
    clearTimeout(this.#timer)
    const { mean, p99 } = summarize(Float64Array.from(this.#late))
    return {
      kind: 'hub',
      frames: this.#frames,
      bytes: this.#bytes,
      seconds: (performance.now() - this.#startedAt) / 1000,
      timerMeanMs: mean,
      timerP99Ms: p99,
    }
  }

  #next(): void {
    const due = performance.now() + TIMER_MS
    this.#timer = setTimeout(() => {
      this.#late.push(performance.now() - due)
      this.#next()
    }, TIMER_MS)
  }
}
