/**
 * What handler modules do in this shard, counted in memory that main reads: connections, frames that were taken, the
 * memory of rings, and the time in which handlers ran. The clock is read twice for each turn of the event loop in which
 * they do, not for each frame.
 */
import type { Clock } from '../../engine/protocol/clock.js'
import { count, handlerCounter, handlerLines, type HandlerLine } from '../../engine/protocol/counters.js'
import type { WorkMeter } from './shard-doorbell.js'

const { frames, bytes, busyMs, ringMemoryBytes, ringMemoryInUseBytes } = handlerCounter

export class HandlerMeter implements WorkMeter {
  readonly #counters: Float64Array
  readonly #clock: Clock
  #since = 0
  #regions = 0

  constructor(counters: Float64Array, clock: Clock) {
    this.#counters = counters
    this.#clock = clock
  }

  begin(): void {
    this.#since = this.#clock.now()
  }

  end(): void {
    count(this.#counters, busyMs, this.#clock.now() - this.#since)
  }

  onTaken(frameCount: number, byteCount: number): void {
    count(this.#counters, frames, frameCount)
    count(this.#counters, bytes, byteCount)
  }

  open(kind: HandlerLine, more = 1): void {
    count(this.#counters, handlerCounter[handlerLines[kind][0]], more)
  }

  release(kind: HandlerLine, less = 1): void {
    count(this.#counters, handlerCounter[handlerLines[kind][1]], less)
  }

  /** All that there is by now. */
  onMemory(regions: number, memory: number, inUse: number): void {
    const more = regions - this.#regions
    this.#regions = regions
    if (more > 0) this.open('regions', more)
    else this.release('regions', -more)
    this.#counters[ringMemoryBytes] = memory
    this.#counters[ringMemoryInUseBytes] = inUse
  }
}
