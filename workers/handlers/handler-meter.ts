/**
 * What handler modules do in this shard, counted in memory that main reads: connections, frames that were taken, the
 * memory of rings, and the time in which handlers ran. The clock is read twice for each turn of the event loop in which
 * they do, not for each frame.
 */
import type { Clock } from '../../engine/protocol/clock.js'
import { count, handlerCounter } from '../../engine/protocol/counters.js'
import type { WorkMeter } from './shard-doorbell.js'

const { opened, closed, frames, bytes, busyMs, lanesTaken, lanesGiven } = handlerCounter
const { regionsTaken, regionsGiven, ringMemoryBytes, ringMemoryInUseBytes } = handlerCounter

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

  onOpened(): void {
    count(this.#counters, opened, 1)
  }

  onClosed(): void {
    count(this.#counters, closed, 1)
  }

  onLaneTaken(): void {
    count(this.#counters, lanesTaken, 1)
  }

  onLaneGiven(): void {
    count(this.#counters, lanesGiven, 1)
  }

  /** All that there is by now. */
  onMemory(regions: number, memory: number, inUse: number): void {
    const more = regions - this.#regions
    this.#regions = regions
    if (more > 0) count(this.#counters, regionsTaken, more)
    else count(this.#counters, regionsGiven, -more)
    this.#counters[ringMemoryBytes] = memory
    this.#counters[ringMemoryInUseBytes] = inUse
  }
}
