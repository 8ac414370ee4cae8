/** Main's side of what one shard serves with handler modules: the calls, and no more. */
import type { HandlerEnd, HandlerReport } from '../protocol/handling.js'
import type { ServedDialOutcome, ServedDialRequest, ServeRequest } from '../protocol/control.js'
import type { Outcome } from '../protocol/errors.js'
import type { ListenTarget } from '../protocol/target.js'
import type { BoundSocket } from '../sockets/bound-socket.js'
import type { ControlClient } from './control-client.js'
import type { DescriptorExchange } from './descriptor-exchange.js'

export type OnHandlerReport = (report: HandlerReport) => void

export class ShardServing {
  readonly #control: ControlClient
  readonly #descriptors: DescriptorExchange
  readonly #watch: (on: boolean) => void
  /** One for each module that the shard runs, from before its set-up until after its teardown. */
  readonly #onReport = new Map<number, OnHandlerReport>()
  /** Those that the shard has not been told of yet, since it gets their sockets first. */
  readonly #preparing = new Map<number, 'wanted' | 'given up'>()
  #pendingDials = 0

  /** `watch`: whether the shard runs any module, which may block its thread. */
  constructor(control: ControlClient, descriptors: DescriptorExchange, watch: (on: boolean) => void) {
    this.#control = control
    this.#descriptors = descriptors
    this.#watch = watch
  }

  /** Dials under way. */
  get pendingDials(): number {
    return this.#pendingDials
  }

  /** `socket`: what main has bound for it. `onReport` is called until `end()` has resolved. */
  async serve(request: ServeRequest, socket: BoundSocket | undefined, onReport: OnHandlerReport): Promise<Outcome> {
    const { servedId } = request
    this.#preparing.set(servedId, 'wanted')
    let isGivenUp: boolean
    let target: ListenTarget
    try {
      target = await this.#descriptors.targetFor(request.target, socket)
    } finally {
      isGivenUp = this.#preparing.get(servedId) === 'given up'
      this.#preparing.delete(servedId)
    }
    return this.#begin(request, onReport, () => {
      const called = this.#control.call('serve', this.#moving({ ...request, target }))
      // The shard has to take up the socket all the same.
      if (isGivenUp) void this.unserve(servedId)
      return called
    })
  }

  /** Resolves with the connection's id. `onReport`: as for `serve()`. */
  async dial(request: ServedDialRequest, onReport: OnHandlerReport): Promise<ServedDialOutcome> {
    this.#pendingDials++
    try {
      return await this.#begin(request, onReport, () => this.#control.call('dialServed', this.#moving(request)))
    } finally {
      this.#pendingDials--
    }
  }

  serves(servedId: number): boolean {
    return this.#onReport.has(servedId)
  }

  /** Accepts nothing from here on; gives up what is under way. Tells the module of a dialled connection of its end. */
  unserve(servedId: number): Promise<void> {
    if (this.#preparing.has(servedId)) {
      this.#preparing.set(servedId, 'given up')
      return Promise.resolve()
    }
    return this.#control.announce('unserve', servedId)
  }

  /** Resolves once handlers are done with what had come until now, or the shard is lost. */
  settle(servedId: number): Promise<void> {
    return this.#control.announce('settleServed', servedId)
  }

  /** Resolves once its connections have ended and its module was torn down, or the shard is lost. */
  async end(servedId: number, end: HandlerEnd): Promise<void> {
    await this.#control.announce('endServed', servedId, end)
    this.#forget(servedId)
  }

  readonly onReport = (servedId: number, report: HandlerReport): void => {
    this.#onReport.get(servedId)?.(report)
  }

  #moving<Request extends ServeRequest | ServedDialRequest>(request: Request): Request {
    const { host, api } = request.handling.ports
    return this.#control.moving(request, [host, api])
  }

  async #begin<Result extends { readonly ok: boolean }>(
    { servedId }: ServeRequest | ServedDialRequest,
    onReport: OnHandlerReport,
    call: () => Promise<Result>,
  ): Promise<Result> {
    this.#onReport.set(servedId, onReport)
    this.#watch(true)
    let isServing = false
    try {
      const outcome = await call()
      isServing = outcome.ok
      return outcome
    } finally {
      if (!isServing) this.#forget(servedId)
    }
  }

  #forget(servedId: number): void {
    this.#onReport.delete(servedId)
    this.#watch(this.#onReport.size > 0)
  }
}
