/**
 * What a shard counts of itself, and how late its timers are. Node's `monitorEventLoopDelay` would keep a timer armed
 * in an idle thread; here a sample is taken only after some operations.
 */
import { addDelaySample, count, counter } from '../engine/protocol/counters.js'
import type { Clock } from '../engine/protocol/clock.js'

const SAMPLE_MS = 20
/** Operations (reads, writes, wakes) after which the next sample is taken. */
const OPERATIONS_A_SAMPLE = 64

export class Meter {
  readonly #counters: Float64Array
  readonly #clock: Clock
  #operations = 0

  constructor(counters: Float64Array, clock: Clock) {
    this.#counters = counters
    this.#clock = clock
  }

  countRead(bytes: number): void {
    count(this.#counters, counter.reads, 1)
    count(this.#counters, counter.bytesRead, bytes)
    this.#operated()
  }

  countWrite(bytes: number): void {
    count(this.#counters, counter.writes, 1)
    count(this.#counters, counter.bytesWritten, bytes)
    this.#operated()
  }

  countPausedRead(): void {
    count(this.#counters, counter.pausedReads, 1)
  }

  countWake(): void {
    count(this.#counters, counter.wakes, 1)
    this.#operated()
  }

  #operated(): void {
    if (++this.#operations === OPERATIONS_A_SAMPLE) this.#sample()
  }

  #sample(): void {
    const due = this.#clock.now() + SAMPLE_MS
    this.#clock.setTimer(
      () => {
        addDelaySample(this.#counters, Math.max(0, this.#clock.now() - due))
        this.#operations = 0
      },
      SAMPLE_MS,
      { keepsAlive: false },
    )
  }
}
