/** What handlers are at work on when an engine closes. Connections are closed once their handlers are done. */
import { Deferred } from '../common/deferred.js'
import type { Clock } from '../protocol/clock.js'

/** A connection, reconnecting or not. */
interface Closable {
  /** Resolves once handlers are done with what has come until now; undefined: they are. */
  settle(): Promise<unknown> | undefined
  close(): Promise<unknown>
}

export class HandlersAtWork {
  readonly #each = new Map<Closable, Promise<unknown>>()
  readonly #all: readonly Promise<unknown>[]
  readonly #givenUp = new Deferred<void>()
  /** Resolves when the time is over in which each connection waits for the handlers of all. */
  readonly #late = new Deferred<void>()
  #cancelLate = (): void => undefined

  /** `outliving`: work on frames of connections that have ended. `shareMs`: how long `done()` waits from now on. */
  constructor(closables: Iterable<Closable>, outliving: Iterable<Promise<unknown>>, clock: Clock, shareMs: number) {
    for (const closable of closables) {
      const done = closable.settle()
      if (done !== undefined) this.#each.set(closable, done)
    }
    this.#all = [...this.#each.values(), ...outliving]
    if (this.areAtWork) this.#cancelLate = clock.setTimer(() => this.#late.resolve(), shareMs)
  }

  get areAtWork(): boolean {
    return this.#all.length > 0
  }

  /** Ends all waiting. */
  giveUp(): void {
    this.#givenUp.resolve()
  }

  /** Resolves when all are done, or the time for that is over. */
  async done(): Promise<void> {
    if (this.areAtWork) await Promise.race([Promise.all(this.#all), this.#late.promise, this.#givenUp.promise])
    this.#cancelLate()
  }

  /** Closes each as soon as its own handlers are done. */
  async closeEach(closables: Iterable<Closable>): Promise<void> {
    const close = async (closable: Closable): Promise<void> => {
      const done = this.#each.get(closable)
      if (done !== undefined) await Promise.race([done, this.#givenUp.promise])
      await closable.close()
    }
    await Promise.all([...closables].map(close))
  }
}
