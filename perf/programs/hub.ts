/** What a hub counts of a flood, and how late its main thread's timers are meanwhile. */
import { Distribution } from '../harness/distribution.js'
import type { HubResult } from '../harness/messages.js'

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
    const late = Distribution.ofMicros(this.#late.map((ms) => ms * 1_000))
    return {
      kind: 'hub',
      frames: this.#frames,
      bytes: this.#bytes,
      seconds: (performance.now() - this.#startedAt) / 1000,
      timerMeanMs: late.meanMicros / 1_000,
      timerP99Ms: late.micros(99) / 1_000,
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
