/**
 * Requests in an open loop: each is due at a fixed time, whatever became of those before it, and took as long as it was
 * from then to its answer. So a stall counts for all that should have been sent meanwhile, and not for the one request
 * alone that met it.
 */
export interface OpenLoopPlan {
  readonly count: number
  readonly rateHz: number
  /** They take turns; each answers its requests in their order. */
  readonly connections: number
}

export interface OpenLoopTimes {
  /** By number of the request, milliseconds of the clock that was given. */
  readonly due: Float64Array
  readonly sent: Float64Array
  readonly answered: Float64Array
}

export class OpenLoop {
  readonly times: OpenLoopTimes
  readonly #plan: OpenLoopPlan
  readonly #now: () => number
  readonly #send: (number: number, connection: number) => void
  readonly #answersOf: number[]
  #sent = 0
  #answered = 0

  /** `now`: milliseconds. The first request is due at once. */
  constructor(plan: OpenLoopPlan, now: () => number, send: (number: number, connection: number) => void) {
    const { count, rateHz, connections } = plan
    const startsAt = now()
    this.times = {
      due: Float64Array.from({ length: count }, (_, number) => startsAt + (number * 1_000) / rateHz),
      sent: new Float64Array(count),
      answered: new Float64Array(count),
    }
    this.#plan = plan
    this.#now = now
    this.#send = send
    this.#answersOf = Array.from({ length: connections }, () => 0)
  }

  get isOver(): boolean {
    return this.#answered === this.#plan.count
  }

  /** Sends all that are due by now, at once. */
  sendDue(): void {
    const { due, sent } = this.times
    const now = this.#now()
    while (this.#sent < this.#plan.count && (due[this.#sent] ?? Infinity) <= now) {
      const number = this.#sent++
      sent[number] = this.#now()
      this.#send(number, number % this.#plan.connections)
    }
  }

  /** An answer has come. @returns The number of its request. */
  answered(connection: number): number {
    const before = this.#answersOf[connection] ?? 0
    this.#answersOf[connection] = before + 1
    const number = connection + before * this.#plan.connections
    this.times.answered[number] = this.#now()
    this.#answered++
    return number
  }
}
