/** Larger regions for rings that grow. Without memory for one the ring stays as it is, and is tried again later. */
import { memoryFailure } from '../protocol/allocation.js'
import type { Clock } from '../protocol/clock.js'
import type { RegionAllocator } from './region-allocator.js'

/** An allocation that fails runs a full garbage collection first, so it is not tried again at once. */
const PAUSE_MS = 1_000

type State =
  | { readonly kind: 'open' }
  /** There was no memory. */
  | { readonly kind: 'pausing'; readonly waiting: (() => void)[]; readonly cancel: () => void }

const OPEN: State = { kind: 'open' }

export class RegionGrowth {
  readonly #regions: Pick<RegionAllocator, 'takeKnown'>
  readonly #clock: Clock
  #state: State = OPEN

  constructor(regions: Pick<RegionAllocator, 'takeKnown'>, clock: Clock) {
    this.#regions = regions
    this.#clock = clock
  }

  /** As `RegionAllocator.takeKnown()`, but without memory `onKnown` is called when there may be some again. */
  take(size: number, onKnown: () => void): number | undefined {
    if (this.#state.kind === 'pausing') {
      this.#state.waiting.push(onKnown)
      return undefined
    }
    try {
      return this.#regions.takeKnown(size, onKnown)
    } catch (error) {
      if (memoryFailure(error) === undefined) throw error
      this.#pause(onKnown)
      return undefined
    }
  }

  /** No `onKnown` is called any more. */
  end(): void {
    if (this.#state.kind === 'pausing') this.#state.cancel()
    this.#state = OPEN
  }

  #pause(first: () => void): void {
    const waiting = [first]
    const onTimer = (): void => {
      this.#state = OPEN
      for (const onKnown of waiting) onKnown()
    }
    const cancel = this.#clock.setTimer(onTimer, PAUSE_MS, { keepsAlive: false })
    this.#state = { kind: 'pausing', waiting, cancel }
  }
}
