/** One listener whose connections this shard serves itself. */
import type { ServeRequest } from '../../engine/protocol/control.js'
import { HandlerCounts } from '../../engine/protocol/handler-counts.js'
import type { HandlerEnd } from '../../engine/protocol/handling.js'
import type { AcceptedPeer, ListenHandle } from '../shard-transport.js'
import type { HandlerReports } from './handler-reports.js'
import { ServedModule, type ServedLane, type ServingEnvironment } from './served-module.js'

export class ServedListener {
  readonly #request: ServeRequest
  readonly #shard: number
  readonly #reports: HandlerReports
  readonly #counts: HandlerCounts
  readonly #module: ServedModule
  #handle: ListenHandle | undefined

  constructor(request: ServeRequest, environment: ServingEnvironment, reports: HandlerReports) {
    this.#request = request
    this.#shard = environment.shard
    this.#reports = reports
    this.#counts = new HandlerCounts(request.counts)
    const { handling, target } = request
    this.#module = new ServedModule({ handling, transport: target.kind, role: 'accepted', reports }, environment)
  }

  /** @throws As `ServedModule.setUp()`. */
  setUp(): Promise<void> {
    return this.#module.setUp()
  }

  /** It listens, and may have accepted some already. */
  onListening(handle: ListenHandle): void {
    if (this.#module.isOpen) this.#handle = handle
    else void handle.close()
  }

  onAccepted(peer: AcceptedPeer): void {
    if (!this.#module.isOpen || !this.#counts.tryOpen(this.#shard, this.#request.maxConnections)) {
      this.#refuse(peer)
      return
    }
    let lane: ServedLane
    try {
      lane = this.#module.takeLane()
    } catch {
      // No lane or no memory is left. The peer sees the cut; the count says how often it happened.
      this.#counts.refuseOpened(this.#shard)
      this.#refuse(peer)
      return
    }
    this.#module.serve(lane, peer.adopt(lane.end), () => this.#counts.closed(this.#shard))
  }

  /** Accepts nothing from here on. Open connections live on. */
  async close(): Promise<void> {
    this.#module.close()
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  settle(): Promise<void> {
    return this.#module.settle()
  }

  /** Resolves once no connection is left and the module was torn down. After `close()`. */
  end(end: HandlerEnd): Promise<void> {
    return this.#module.end(end)
  }

  #refuse(peer: AcceptedPeer): void {
    peer.reject()
    this.#reports.refused()
  }
}
