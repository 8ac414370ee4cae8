/** The side that is called: what handlers work on, and their answers. */
import { isThenable } from '../../../engine/common/handler-failures.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { failureCodes, type Id, type Message } from './messages.js'
import { failureOf } from './remote-error.js'

/** What a handler gets besides its parameters. */
export interface RequestContext {
  /** Aborted when the caller gives the call up, and when the connection ends. Of a notification: when it ends. */
  readonly signal: AbortSignal
}

export type RequestHandler = (params: never, context: RequestContext) => unknown

export interface ServingSettings {
  readonly handlers: ReadonlyMap<string, RequestHandler>
  readonly maxPending: number
  /** @throws {TransportError} */
  readonly send: (message: Message) => void
  readonly ready: () => Promise<void>
  /** The end of the engine waits for it. */
  readonly atWork: (pending: Promise<unknown>) => void
  readonly onNotificationFailed: (method: string, cause: unknown) => void
}

type Answer = Extract<Message, { readonly kind: 'result' | 'failure' }>

/** Calls a handler, which gets parameters as the peer sent them. */
type AnyHandler = (params: unknown, context: RequestContext) => unknown

export class ServedRequests {
  readonly #settings: ServingSettings
  readonly #requests = new Map<Id, AbortController>()
  readonly #notifications = new Set<AbortController>()
  /** Why nobody waits for answers any more. */
  #over: string | undefined
  /** Who waits until there is room for another notification. */
  #onRoom: (() => void) | undefined

  constructor(settings: ServingSettings) {
    this.#settings = settings
  }

  get atWork(): number {
    return this.#requests.size + this.#notifications.size
  }

  isAtWork(id: Id): boolean {
    return this.#requests.has(id)
  }

  serve({ id, method, params }: Extract<Message, { readonly kind: 'request' }>): void {
    const handler = this.#settings.handlers.get(method)
    if (handler === undefined) {
      this.#refuse(id, failureCodes.methodNotFound, `there is no handler for ${JSON.stringify(method)}`)
      return
    }
    if (this.atWork >= this.#settings.maxPending) {
      const message = `${String(this.#settings.maxPending)} requests are being worked on already`
      this.#refuse(id, failureCodes.handler, message, { code: 'ERR_BACKPRESSURE' })
      return
    }
    const controller = this.#controller()
    this.#requests.set(id, controller)
    this.#settings.atWork(this.#work(id, handler as AnyHandler, params, controller))
  }

  /** A promise: there are as many handlers at work as may be, so the next message has to wait. */
  notify({ method, params }: Extract<Message, { readonly kind: 'notification' }>): Promise<void> | undefined {
    const handler = this.#settings.handlers.get(method)
    // Nobody can be told that there is none.
    if (handler === undefined) return undefined
    const controller = this.#controller()
    try {
      const result = (handler as AnyHandler)(params, { signal: controller.signal })
      if (!isThenable(result)) return undefined
      this.#notifications.add(controller)
      const pending = Promise.resolve(result)
        .catch((cause: unknown) => this.#settings.onNotificationFailed(method, cause))
        .finally(() => {
          this.#notifications.delete(controller)
          this.#makeRoom()
        })
      this.#settings.atWork(pending)
    } catch (cause) {
      this.#settings.onNotificationFailed(method, cause)
    }
    return this.#room()
  }

  /** What has been answered by now, or was never asked, cannot be cancelled. */
  cancel(id: Id): void {
    this.#requests.get(id)?.abort(cancelled('the caller has given the call up'))
  }

  /** The connection is over. What came before still goes to its handlers, which find their signal aborted. */
  end(why: string): void {
    this.#over ??= why
    this.drop(why)
  }

  /** Another peer has taken this one's place: nobody waits for these answers. */
  drop(why: string): void {
    const controllers = [...this.#requests.values(), ...this.#notifications]
    this.#requests.clear()
    this.#notifications.clear()
    if (controllers.length === 0) return
    const reason = cancelled(why)
    for (const controller of controllers) controller.abort(reason)
    this.#makeRoom()
  }

  #controller(): AbortController {
    const controller = new AbortController()
    if (this.#over !== undefined) controller.abort(cancelled(this.#over))
    return controller
  }

  async #work(id: Id, handler: AnyHandler, params: unknown, controller: AbortController): Promise<void> {
    const { signal } = controller
    let answer: Answer
    try {
      answer = { kind: 'result', id, result: await handler(params, { signal }) }
    } catch (thrown) {
      answer = { kind: 'failure', id, failure: failureOf(thrown, signal.aborted) }
    }
    const isWanted = (): boolean => this.#requests.get(id) === controller
    if (isWanted()) await this.#send(answer, isWanted)
    if (isWanted()) this.#requests.delete(id)
    this.#makeRoom()
  }

  /** Its place is taken until it has left, so what waits for room is bounded too. */
  async #send(answer: Answer, isWanted: () => boolean): Promise<void> {
    for (let one = answer; isWanted();) {
      try {
        this.#settings.send(one)
        return
      } catch (error) {
        const { code, message } = error as TransportError
        if (code === 'ERR_BACKPRESSURE') {
          const isOver = await this.#settings.ready().then(
            () => false,
            () => true,
          )
          if (isOver) return
        } else if ((code === 'ERR_INVALID_FRAME' || code === 'ERR_FRAME_TOO_LARGE') && one === answer)
          one = { kind: 'failure', id: one.id, failure: { code: failureCodes.internal, message, data: { code } } }
        else return
      }
    }
  }

  #refuse(id: Id, code: number, message: string, data?: unknown): void {
    try {
      this.#settings.send({ kind: 'failure', id, failure: { code, message, ...(data === undefined ? {} : { data }) } })
    } catch {
      // A peer that asks more than it reads gets no answer to what was refused.
    }
  }

  #room(): Promise<void> | undefined {
    // What is left of a connection that is over is not held back by handlers that nobody waits for.
    if (this.#over !== undefined || this.atWork < this.#settings.maxPending) return undefined
    return new Promise((resolve) => {
      this.#onRoom = resolve
    })
  }

  #makeRoom(): void {
    if (this.atWork >= this.#settings.maxPending) return
    this.#onRoom?.()
    this.#onRoom = undefined
  }
}

function cancelled(why: string): TransportError {
  return new TransportError('ERR_ABORTED', `${why}. Stop working on it; its result goes nowhere.`)
}
