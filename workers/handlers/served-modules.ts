/** The handler modules that serve in this shard: one for each listener, and one for each dialled connection. */
import type { MainCallbacks, ServedDialRequest, ServeRequest } from '../../engine/protocol/control.js'
import { serializeError } from '../../engine/protocol/errors.js'
import type { HandlerEnd } from '../../engine/protocol/handling.js'
import type { Surplus } from '../accepting/surplus.js'
import { takeOver } from '../accepting/take-over.js'
import type { DescriptorSource, MainSide } from '../shard-transport.js'
import { listenerFor } from '../transports/transport-registry.js'
import { HandlerReports } from './handler-reports.js'
import { ServedDial } from './served-dial.js'
import { ServedListener } from './served-listener.js'
import type { ServingEnvironment } from './served-module.js'

/** Nothing of it waits for main: only what is on its way to another shard. */
const MOST_OFFERED = 256

type Main = Pick<MainCallbacks, 'served' | 'listenerFailed'> & MainSide

export class ServedModules {
  readonly #environment: ServingEnvironment
  readonly #main: Main
  readonly #descriptors: DescriptorSource
  readonly #surplus: Surplus
  readonly #byId = new Map<number, ServedListener | ServedDial>()

  constructor(environment: ServingEnvironment, main: Main, descriptors: DescriptorSource, surplus: Surplus) {
    this.#environment = environment
    this.#main = main
    this.#descriptors = descriptors
    this.#surplus = surplus
  }

  has(servedId: number): boolean {
    return this.#byId.has(servedId)
  }

  /** Rejects with what the module or the system prevents it by, and nothing is left then. */
  async open(request: ServeRequest): Promise<void> {
    const { servedId, target, backlog } = request
    const listener = new ServedListener(request, this.#environment, this.#reportsOf(servedId))
    this.#byId.set(servedId, listener)
    let isListening = false
    try {
      await listener.setUp()
      isListening = true
      const handle = await listenerFor(target).listen(
        target,
        backlog,
        (peer) => {
          const keep = (): void => listener.onAccepted(peer)
          if (!this.#surplus.offer(servedId, peer, { most: MOST_OFFERED, isServed: true }, keep)) keep()
        },
        (error) => this.#main.listenerFailed(servedId, serializeError(error)),
        this.#descriptors,
      )
      listener.onListening(handle)
    } catch (error) {
      // What main has sent for it lies in the channel.
      if (!isListening && 'ticket' in target) (await this.#descriptors.receive(target.ticket))?.close()
      await this.#undo(servedId, error)
      throw error
    }
  }

  /** As `open()`. Resolves with the connection's id. */
  async dial(request: ServedDialRequest): Promise<string> {
    const { servedId } = request
    const dial = new ServedDial(request, this.#environment, this.#reportsOf(servedId))
    this.#byId.set(servedId, dial)
    try {
      return await dial.dial(this.#main)
    } catch (error) {
      await this.#undo(servedId, error)
      throw error
    }
  }

  /** Connections that another shard has accepted. Returns the tickets of those that this one does not take. */
  takeOver(servedId: number, tickets: readonly number[]): Promise<readonly number[]> {
    return takeOver(tickets, this.#descriptors, () => {
      const listener = this.#byId.get(servedId)
      const isAccepting = listener instanceof ServedListener && listener.isAccepting
      return isAccepting ? (peer) => listener.onAccepted(peer) : undefined
    })
  }

  async close(servedId: number): Promise<void> {
    this.#surplus.closeAllOf(servedId)
    await this.#byId.get(servedId)?.close()
  }

  async settle(servedId: number): Promise<void> {
    await this.#byId.get(servedId)?.settle()
  }

  async end(servedId: number, end: HandlerEnd): Promise<void> {
    await this.#byId.get(servedId)?.end(end)
    this.#byId.delete(servedId)
  }

  async #undo(servedId: number, error: unknown): Promise<void> {
    await this.close(servedId)
    await this.end(servedId, { how: 'destroy', error: serializeError(error) })
  }

  #reportsOf(servedId: number): HandlerReports {
    return new HandlerReports(async (report) => {
      // A promise, since it is a call of another thread.
      await this.#main.served(servedId, report)
    })
  }
}
