/** One row while it is measured. What has failed once is not asked again, and the others go on. */
import type { Purpose } from './compared-messages.js'
import { ComparedPair, type PairSettings } from './compared-pair.js'
import type { Availability, PeerEntry } from './peer-catalogue.js'

/** Messages of one measurement, and the seconds that they took. */
export type Measure<Sample> = (
  pair: ComparedPair,
  count: number,
) => Promise<{ readonly sample: Sample; readonly seconds: number }>

/** How much a round does. */
export interface RoundSize {
  /** What the search for it begins with. */
  readonly first: number
  readonly least: number
  readonly durationMs: number
  /** Instead of looking for it. */
  readonly count: number | undefined
}

const MOST_MESSAGES = 20_000_000
const MOST_GROWTH = 8

export class ComparedContender {
  readonly name: string
  readonly entry: PeerEntry
  /** Messages of a round. */
  count = 0
  #pair: ComparedPair | undefined
  #connections = 1
  #failure: string | undefined

  constructor(entry: PeerEntry) {
    this.name = entry.name
    this.entry = entry
  }

  get failure(): string | undefined {
    return this.#failure
  }

  /** Why its connections are not over shared memory, if they should be. */
  get fallback(): string | undefined {
    return this.#pair?.fallback
  }

  /** Does nothing if it cannot run here. */
  async start(
    available: Availability | undefined,
    purpose: Purpose,
    settings: Omit<PairSettings, 'purpose' | 'execPath'>,
  ): Promise<void> {
    if (available?.kind !== 'there') return
    try {
      this.#pair = await ComparedPair.start(this.entry, { ...settings, purpose, execPath: available.execPath })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Undefined once something has failed. */
  async attempt<Result>(what: (pair: ComparedPair) => Promise<Result>): Promise<Result | undefined> {
    const pair = this.#pair
    if (pair === undefined || this.#failure !== undefined) return undefined
    try {
      return await what(pair)
    } catch (error) {
      this.#fail(error)
      // It may never say that it has stopped, nor stop what it does.
      await pair.kill()
      return undefined
    }
  }

  /** So many connections in all. */
  async growTo(connections: number): Promise<void> {
    await this.attempt(async (pair) => {
      await pair.connect(connections - this.#connections)
      this.#connections = connections
    })
  }

  /** Finds out how many messages a round has. It also warms up: code is compiled, rings and buffers grow. */
  async warmUp<Sample>(measure: Measure<Sample>, { first, least, durationMs, count }: RoundSize): Promise<void> {
    await this.attempt(async (pair) => {
      this.count = Math.max(least, count ?? first)
      for (;;) {
        const { seconds } = await measure(pair, this.count)
        if (count !== undefined) return
        const growth = durationMs / (seconds * 1_000)
        if (growth <= 2 || this.count === MOST_MESSAGES) {
          this.count = Math.max(least, Math.round(this.count * growth))
          return
        }
        this.count = Math.min(MOST_MESSAGES, Math.ceil(this.count * Math.min(growth, MOST_GROWTH)))
      }
    })
  }

  /** True: everything was released, or it had failed before. */
  async stop(): Promise<boolean> {
    return this.#pair === undefined || this.#failure !== undefined || this.#pair.stop()
  }

  #fail(error: unknown): void {
    this.#failure = error instanceof Error ? error.message : String(error)
  }
}
