/** Attempts to connect: each picks a shard, waits for one while none is up, and ends with whatever gives it up. */
import { events, type ConnectedEvent, type ConnectingEvent } from '../common/diagnostics.js'
import type { Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import { abortError, Waiter } from '../protocol/waiter.js'
import type { Shard } from '../shard/shard.js'
import type { Supervisor } from '../shard/supervisor.js'

export interface Attempt {
  readonly isGivenUp: boolean
  /** `stop` is called when the attempt is given up, unless a later one has taken its place. */
  stopBy(stop: () => void): void
}

type Dialled = Pick<ConnectingEvent, 'kind' | 'endpoint'>

interface DialWait {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs: number
}

interface DialSteps<Result> {
  /** Undefined: the attempt was given up meanwhile. */
  readonly dial: (shard: Shard, attempt: Attempt) => Promise<Result | undefined>
  /** The caller gave up while the result was on its way. */
  readonly discard: (result: Result) => void
  /** Of the deadline, if it has another error than the usual one. */
  readonly onTimeout?: () => TransportError | undefined
}

export class DialAttempts {
  readonly #engine: string
  readonly #supervisor: Supervisor
  readonly #clock: Clock
  #made = 0
  readonly #pending = new Set<(error: TransportError) => void>()

  constructor(engine: string, supervisor: Supervisor, clock: Clock) {
    this.#engine = engine
    this.#supervisor = supervisor
    this.#clock = clock
  }

  /** How many are under way. */
  get pending(): number {
    return this.#pending.size
  }

  /** Rejects all that are under way. */
  giveUp(error: TransportError): void {
    for (const giveUp of this.#pending) giveUp(error)
  }

  async run<Result>(what: Dialled, wait: DialWait, steps: DialSteps<Result>): Promise<Result> {
    const { connectStarted, connectSettled } = events
    if (!connectStarted.hasSubscribers && !connectSettled.hasSubscribers) return this.#run(what, wait, steps)
    const event = { engine: this.#engine, attempt: ++this.#made, ...what }
    const since = this.#clock.now()
    connectStarted.publish(event)
    const settle = (code: ConnectedEvent['code'], cause: Error | undefined): void =>
      connectSettled.publish({ ...event, durationMs: this.#clock.now() - since, code, cause })
    try {
      const result = await this.#run(what, wait, steps)
      settle('OK', undefined)
      return result
    } catch (error) {
      settle(error instanceof TransportError ? error.code : 'ERR_IO', error instanceof Error ? error : undefined)
      throw error
    }
  }

  async #run<Result>({ endpoint }: Dialled, wait: DialWait, steps: DialSteps<Result>): Promise<Result> {
    if (wait.signal?.aborted === true) throw abortError('connecting', endpoint, wait.signal.reason)
    let stop = (): void => undefined
    const onGivenUp = (): void => stop()
    const what = `connecting to ${endpoint}`
    const waiter = new Waiter<Result>(what, endpoint, wait, this.#clock, onGivenUp, steps.onTimeout)
    const giveUp = (error: TransportError): void => {
      waiter.reject(error)
      stop()
    }
    this.#pending.add(giveUp)
    const attempt: Attempt = {
      get isGivenUp() {
        return waiter.settled
      },
      stopBy: (by) => {
        stop = by
      },
    }
    const settle = (result: Result | undefined): void => {
      if (result === undefined) return
      // Nothing else ends it.
      if (waiter.settled) steps.discard(result)
      else waiter.resolve(result)
    }
    // Synchronously if a shard is up, so that connections asked for in one turn spread by what each shard has by then.
    const shard = this.#supervisor.place()
    const dialling = shard === undefined ? this.#dialWhenUp(steps.dial, attempt) : steps.dial(shard, attempt)
    dialling.then(settle, (error: unknown) => waiter.reject(error as Error))
    try {
      return await waiter.promise
    } finally {
      this.#pending.delete(giveUp)
    }
  }

  /** Undefined: it was given up before a shard came up. */
  async #dialWhenUp<Result>(dial: DialSteps<Result>['dial'], attempt: Attempt): Promise<Result | undefined> {
    for (;;) {
      const shard = this.#supervisor.place()
      if (shard !== undefined) return dial(shard, attempt)
      await this.#supervisor.waitForShard()
      if (attempt.isGivenUp) return undefined
    }
  }
}
