/** The listeners whose connections this shard serves itself. */
import type { MainCallbacks, ServeRequest } from '../../engine/protocol/control.js'
import { serializeError } from '../../engine/protocol/errors.js'
import type { HandlerEnd } from '../../engine/protocol/handling.js'
import type { Surplus } from '../accepting/surplus.js'
import { takeOver } from '../accepting/take-over.js'
import type { DescriptorSource } from '../shard-transport.js'
import { listenerFor } from '../transports/transport-registry.js'
import { HandlerReports } from './handler-reports.js'
import { ServedListener, type ServingEnvironment } from './served-listener.js'

/** Nothing of it waits for main: only what is on its way to another shard. */
const MOST_OFFERED = 256

type Main = Pick<MainCallbacks, 'served' | 'listenerFailed'>

export class ServedListeners {
  readonly #environment: ServingEnvironment
  readonly #main: Main
  readonly #descriptors: DescriptorSource
  readonly #surplus: Surplus
  readonly #byId = new Map<number, ServedListener>()

  constructor(environment: ServingEnvironment, main: Main, descriptors: DescriptorSource, surplus: Surplus) {
    this.#environment = environment
    this.#main = main
    this.#descriptors = descriptors
    this.#surplus = surplus
  }

  has(listenerId: number): boolean {
    return this.#byId.has(listenerId)
  }

  /** Rejects with what the module or the system prevents it by, and nothing is left then. */
  async open(request: ServeRequest): Promise<void> {
    const { listenerId, target, backlog } = request
    const reports = new HandlerReports(async (report) => {
      // A promise, since it is a call of another thread.
      await this.#main.served(listenerId, report)
    })
    const listener = new ServedListener(request, this.#environment, reports)
    this.#byId.set(listenerId, listener)
    let isListening = false
    try {
      await listener.setUp()
      isListening = true
      const handle = await listenerFor(target).listen(
        target,
        backlog,
        (peer) => {
          const keep = (): void => listener.onAccepted(peer)
          if (!this.#surplus.offer(listenerId, peer, { most: MOST_OFFERED, isServed: true }, keep)) keep()
        },
        (error) => this.#main.listenerFailed(listenerId, serializeError(error)),
        this.#descriptors,
      )
      listener.onListening(handle)
    } catch (error) {
      // What main has sent for it lies in the channel.
      if (!isListening && 'ticket' in target) (await this.#descriptors.receive(target.ticket))?.close()
      await this.close(listenerId)
      await this.end(listenerId, { how: 'destroy', error: serializeError(error) })
      throw error
    }
  }

  /** Connections that another shard has accepted. Returns the tickets of those that this one does not take. */
  takeOver(listenerId: number, tickets: readonly number[]): Promise<readonly number[]> {
    return takeOver(tickets, this.#descriptors, () => {
      const listener = this.#byId.get(listenerId)
      return listener?.isAccepting === true ? (peer) => listener.onAccepted(peer) : undefined
    })
  }

  async close(listenerId: number): Promise<void> {
    this.#surplus.closeAllOf(listenerId)
    await this.#byId.get(listenerId)?.close()
  }

  async settle(listenerId: number): Promise<void> {
    await this.#byId.get(listenerId)?.settle()
  }

  async end(listenerId: number, end: HandlerEnd): Promise<void> {
    await this.#byId.get(listenerId)?.end(end)
    this.#byId.delete(listenerId)
  }
}
