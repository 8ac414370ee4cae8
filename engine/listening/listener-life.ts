/** How a listener ends, whoever takes its connections: once, and what ends it first says how. */
import { Deferred } from '../common/deferred.js'
import { events, type ListenerEvent } from '../common/diagnostics.js'
import type { ListenerClosed } from './listener.js'
import { nextState, type ListenerState } from './listener-state.js'

export class ListenerLife {
  readonly #identity: ListenerEvent
  readonly #takeDown: () => Promise<void>
  readonly #closed = new Deferred<ListenerClosed>()
  /** Never rejects, whatever fails while it is taken down. */
  readonly closed = this.#closed.promise
  #state: ListenerState = { kind: 'open' }
  #ending: Promise<ListenerClosed> | undefined

  /** `takeDown`: called once, when it ends; resolves when nothing of it is left on its shards. */
  constructor(identity: ListenerEvent, takeDown: () => Promise<void>) {
    this.#identity = identity
    this.#takeDown = takeDown
  }

  get isOpen(): boolean {
    return this.#state.kind === 'open'
  }

  /** Rejects if taking it down fails; it is closed all the same. */
  end(info: ListenerClosed): Promise<ListenerClosed> {
    this.#state = nextState(this.#state, { kind: 'end', info })
    this.#ending ??= this.#end(info)
    return this.#ending
  }

  async #end(info: ListenerClosed): Promise<ListenerClosed> {
    try {
      await this.#takeDown()
    } finally {
      this.#state = nextState(this.#state, { kind: 'released' })
      events.listenerClosed.publish({ ...this.#identity, code: info.code, cause: info.cause })
      this.#closed.resolve(info)
    }
    return info
  }
}
