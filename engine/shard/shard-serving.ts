/** Main's side of the listeners that one shard serves with handler modules: the calls, and no more. */
import type { HandlerEnd, HandlerReport } from '../protocol/handling.js'
import type { ServeRequest } from '../protocol/control.js'
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
  /** One for each listener whose module the shard runs, from before its set-up until after its teardown. */
  readonly #onReport = new Map<number, OnHandlerReport>()

  /** Those that the shard has not been told of yet, since it gets their sockets first. */
  readonly #preparing = new Map<number, 'wanted' | 'given up'>()

  /** `watch`: whether the shard runs any module, which may block its thread. */
  constructor(control: ControlClient, descriptors: DescriptorExchange, watch: (on: boolean) => void) {
    this.#control = control
    this.#descriptors = descriptors
    this.#watch = watch
  }

  /** `socket`: what main has bound for it. `onReport` is called until `end()` has resolved. */
  async serve(request: ServeRequest, socket: BoundSocket | undefined, onReport: OnHandlerReport): Promise<Outcome> {
    const { listenerId, handling } = request
    const { host, api } = handling.ports
    this.#preparing.set(listenerId, 'wanted')
    let isGivenUp: boolean
    let target: ListenTarget
    try {
      target = await this.#descriptors.targetFor(request.target, socket)
    } finally {
      isGivenUp = this.#preparing.get(listenerId) === 'given up'
      this.#preparing.delete(listenerId)
    }
    this.#onReport.set(listenerId, onReport)
    this.#watch(true)
    let isServing = false
    try {
      const called = this.#control.call('serve', this.#control.moving({ ...request, target }, [host, api]))
      // The shard has to take up the socket all the same.
      if (isGivenUp) void this.unserve(listenerId)
      const outcome = await called
      isServing = outcome.ok
      return outcome
    } finally {
      if (!isServing) this.#forget(listenerId)
    }
  }

  serves(listenerId: number): boolean {
    return this.#onReport.has(listenerId)
  }

  /** Accepts nothing from here on; gives up a `serve()` that is under way. */
  unserve(listenerId: number): Promise<void> {
    if (this.#preparing.has(listenerId)) {
      this.#preparing.set(listenerId, 'given up')
      return Promise.resolve()
    }
    return this.#control.announce('unserve', listenerId)
  }

  /** Resolves once handlers are done with what had come until now, or the shard is lost. */
  settle(listenerId: number): Promise<void> {
    return this.#control.announce('settleServed', listenerId)
  }

  /** Resolves once its connections have ended and its module was torn down, or the shard is lost. After `unserve()`. */
  async end(listenerId: number, end: HandlerEnd): Promise<void> {
    await this.#control.announce('endServed', listenerId, end)
    this.#forget(listenerId)
  }

  readonly onReport = (listenerId: number, report: HandlerReport): void => {
    this.#onReport.get(listenerId)?.(report)
  }

  #forget(listenerId: number): void {
    this.#onReport.delete(listenerId)
    this.#watch(this.#onReport.size > 0)
  }
}
