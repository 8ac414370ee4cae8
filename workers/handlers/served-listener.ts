/** One listener whose connections this shard serves itself. */
import type { HandshakeLane } from '../../engine/connection/handshake-lane.js'
import type { LaneConnection } from '../../engine/connection/lane-connection.js'
import type { Clock } from '../../engine/protocol/clock.js'
import type { ServeRequest } from '../../engine/protocol/control.js'
import { HandlerCounts } from '../../engine/protocol/handler-counts.js'
import type { HandledHandshake, HandlerEnd } from '../../engine/protocol/handling.js'
import type { AcceptedPeer, ListenHandle } from '../shard-transport.js'
import { ServedHandshakes } from './served-handshakes.js'
import type { HandlerReports } from './handler-reports.js'
import { ServedModule, type ServedLane, type ServingEnvironment } from './served-module.js'

export class ServedListener {
  readonly #request: ServeRequest
  readonly #shard: number
  readonly #reports: HandlerReports
  readonly #counts: HandlerCounts
  readonly #module: ServedModule
  readonly #handshakes: ServedHandshakes | undefined
  #handle: ListenHandle | undefined

  constructor(request: ServeRequest, environment: ServingEnvironment, reports: HandlerReports) {
    this.#request = request
    this.#shard = environment.shard
    this.#reports = reports
    this.#counts = new HandlerCounts(request.counts)
    const { handling, target } = request
    this.#module = new ServedModule({ handling, transport: target.kind, role: 'accepted', reports }, environment)
    if (handling.handshake !== undefined) this.#handshakes = this.#handshakesOf(handling.handshake, environment.clock)
  }

  get isAccepting(): boolean {
    return this.#module.isOpen
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
    if (!this.#module.isOpen) this.#refuse(peer)
    else if (this.#handshakes !== undefined) this.#handshakes.onAccepted(peer)
    else this.#serve(peer)
  }

  /** Accepts nothing from here on. Open connections live on. */
  async close(): Promise<void> {
    this.#module.close()
    this.#handshakes?.giveUp()
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

  #serve(peer: AcceptedPeer): void {
    if (!this.#tryOpen()) {
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
    this.#module.serve(this.#module.connect(lane, peer.adopt(lane.end)), this.#onEnded)
  }

  #handshakesOf(limits: HandledHandshake, clock: Clock): ServedHandshakes {
    const host = {
      begin: (peer: AcceptedPeer): HandshakeLane => {
        const lane = this.#module.takeLane()
        return this.#module.beginHandshake(lane, peer.adopt(lane.end))
      },
      shake: (lane: HandshakeLane) => this.#module.shake(lane, limits.memory),
      onReady: (connection: LaneConnection): void => {
        if (this.#tryOpen()) {
          this.#module.serve(connection, this.#onEnded)
          return
        }
        connection.destroy()
        this.#reports.refused()
      },
      onRefused: () => {
        this.#counts.refuse(this.#shard)
        this.#reports.refused()
      },
    }
    return new ServedHandshakes(host, limits, clock)
  }

  readonly #onEnded = (): void => this.#counts.closed(this.#shard)

  #tryOpen(): boolean {
    return this.#counts.tryOpen(this.#shard, this.#request.maxConnections)
  }

  #refuse(peer: AcceptedPeer): void {
    peer.reject()
    this.#reports.refused()
  }
}
