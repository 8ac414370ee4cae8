/** The side that calls: every call settles once, and no more than a bound of them wait for their answers. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../../engine/protocol/clock.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { abortedBefore, Waiter, type WaitOptions } from '../../../engine/protocol/waiter.js'
import type { Id, Message, Params } from './messages.js'
import { errorOf } from './remote-error.js'

export interface CallsSettings {
  readonly endpoint: string
  readonly maxPending: number
  readonly timeoutMs: number
  readonly clock: Clock
  readonly send: (message: Message) => void
}

interface Pending {
  readonly method: string
  readonly waiter: Waiter<unknown>
}

export class Calls {
  readonly #settings: CallsSettings
  readonly #pending = new Map<Id, Pending>()
  /** Of this connection alone: a late answer to another one's call is never taken for one to a call of this one. */
  readonly #prefix = randomBytes(6).toString('base64url')
  #last = 0
  #ended: TransportError | undefined

  constructor(settings: CallsSettings) {
    this.#settings = settings
  }

  get pending(): number {
    return this.#pending.size
  }

  async call(method: string, params: Params | undefined, options: WaitOptions): Promise<unknown> {
    const { endpoint, maxPending, clock } = this.#settings
    const refusal = this.#ended ?? abortedBefore(`calling ${method}`, endpoint, options)
    if (refusal !== undefined) throw refusal
    if (this.#pending.size >= maxPending) {
      const message = `${String(maxPending)} calls wait for an answer already (maxPending). Await some before you make more.`
      throw new TransportError('ERR_BACKPRESSURE', message, { endpoint })
    }
    const id = `${this.#prefix}-${String(++this.#last)}`
    this.#settings.send({ kind: 'request', id, method, params })
    const { signal, timeoutMs = this.#settings.timeoutMs } = options
    const waiter = new Waiter<unknown>(`calling ${method}`, endpoint, { signal, timeoutMs }, clock, () => {
      this.#pending.delete(id)
      this.#cancel(id)
    })
    this.#pending.set(id, { method, waiter })
    return waiter.promise
  }

  /** Of a call that was given up, or of none: nobody waits for it. */
  answered(message: Extract<Message, { readonly kind: 'result' | 'failure' }>): void {
    if (message.id === null) return
    const waiter = this.#pending.get(message.id)?.waiter
    if (waiter === undefined) return
    this.#pending.delete(message.id)
    if (message.kind === 'result') waiter.resolve(message.result)
    else waiter.reject(errorOf(message.failure))
  }

  /** Nothing that was asked by now will be answered. `why`: ends in a full stop. */
  lose(code: TransportError['code'], why: string, cause: unknown): void {
    const lost = [...this.#pending.values()]
    this.#pending.clear()
    const { endpoint } = this.#settings
    for (const { method, waiter } of lost) {
      const message = `calling ${method}: ${why} The request may have arrived there.`
      waiter.reject(new TransportError(code, message, { cause, endpoint }))
    }
  }

  /** No call can be made any more. */
  end(error: TransportError): void {
    this.#ended ??= error
  }

  #cancel(id: Id): void {
    try {
      this.#settings.send({ kind: 'cancel', id })
    } catch {
      // The peer goes on with it in vain, and its answer is ignored.
    }
  }
}
