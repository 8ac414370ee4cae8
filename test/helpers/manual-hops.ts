/** Hops by a clock that a test moves. */
import { HopTrace, type HopName } from '../../engine/common/hop-trace.js'

export class ManualHops {
  /** In ticks, of which ten are a microsecond. */
  at = 1_000
  readonly trace = new HopTrace(() => this.at)

  /** How long each hop took in all, in ticks; without those that never were. */
  totals(): Partial<Record<HopName, number>> {
    const taken = this.trace.stats().filter(({ count }) => count > 0)
    return Object.fromEntries(taken.map(({ hop, count, meanMicros }) => [hop, Math.round(count * meanMicros * 10)]))
  }

  counts(): Partial<Record<HopName, number>> {
    const taken = this.trace.stats().filter(({ count }) => count > 0)
    return Object.fromEntries(taken.map(({ hop, count }) => [hop, count]))
  }
}
