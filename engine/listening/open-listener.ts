/** One open listener and the shards that serve it, as they die, come back, pause and resume. */
import { Backoff } from '../common/backoff.js'
import { nameOf } from '../common/describe.js'
import { events } from '../common/diagnostics.js'
import { trace } from '../common/trace.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ConnectionIdentity } from '../connection/lane-connection.js'
import type { Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import type { Arrival } from '../shard/accepted-connections.js'
import type { Shard } from '../shard/shard.js'
import type { AcceptHandshakes } from './accept-handshakes.js'
import type { EngineListener } from './engine-listener.js'
import { ModuleListener } from './module-listener.js'
import type { ShardBindings } from './shard-bindings.js'

/** Pauses between attempts to make a shard serve the listener, or resume. */
const RETRY_PAUSES = { initialMs: 50, maxMs: 5_000, factor: 2, jitter: 'none' } as const

/** What takes the connections that shards have accepted. */
export interface Arrivals {
  readonly listener: EngineListener
  /** What its connections get. */
  readonly connection: ConnectionSettings
  readonly identity: ConnectionIdentity
  /** What comes before its connections. Undefined: nothing. */
  readonly handshakes: AcceptHandshakes | undefined
}

interface OpenListenerParts {
  readonly id: number
  readonly listener: EngineListener | ModuleListener
  /** Undefined: shards serve what they accept. */
  readonly arrivals: Arrivals | undefined
  readonly bindings: ShardBindings
  /** Whether only one shard at a time can serve it. */
  readonly isOnOneShard: boolean
  readonly shardsUp: () => readonly Shard[]
  readonly clock: Clock
}

export class OpenListener {
  readonly #parts: OpenListenerParts

  constructor(parts: OpenListenerParts) {
    this.#parts = parts
  }

  close(): Promise<unknown> {
    return this.#parts.listener.close()
  }

  onFailure(error: TransportError): void {
    this.#parts.listener.onFailure(error)
  }

  onAllShardsLost(): void {
    const { listener } = this.#parts
    const message = 'no worker thread is left to listen with. Create a new engine.'
    listener.onFailure(new TransportError('ERR_SHARD_LOST', message, { endpoint: listener.endpoint }))
  }

  /** Takes account of shards that died or came back while the listener was being opened. */
  catchUp(): void {
    const { bindings, shardsUp } = this.#parts
    for (const shard of bindings.shards) if (!shard.isUp) bindings.forget(shard)
    this.onRestored(shardsUp().filter((shard) => !bindings.shards.has(shard)))
  }

  onLost(shard: Shard): void {
    const { bindings, listener, arrivals, isOnOneShard } = this.#parts
    bindings.forget(shard)
    listener.onSourceLost(shard)
    arrivals?.handshakes?.onSourceLost(shard)
    // Another shard takes over at once.
    if (isOnOneShard) this.onRestored([])
  }

  onRestored(shards: readonly Shard[]): void {
    const { bindings, isOnOneShard, shardsUp } = this.#parts
    if (!isOnOneShard) {
      for (const shard of shards) this.#retry(shard, () => bindings.join([shard]))
      return
    }
    const [shard] = shardsUp()
    if (shard === undefined) return
    // Checked in each attempt: two attempts that succeeded would keep each other's pipe from being free again.
    this.#retry(shard, async () => {
      if (bindings.shards.size === 0) await bindings.join([shard])
    })
  }

  onArrival(shard: Shard, arrival: Arrival): void {
    const { arrivals } = this.#parts
    // The shard may have died since, while this waited for the listener.
    if (!shard.isUp || arrivals === undefined) {
      arrival.reject()
      return
    }
    const { listener, handshakes, connection, identity } = arrivals
    if (handshakes !== undefined) {
      handshakes.onArrival(shard, arrival)
      return
    }
    listener.onAccepted({
      source: shard,
      adopt: () => arrival.adopt(connection, identity),
      reject: () => arrival.reject(),
    })
  }

  onPaused(shard: Shard): void {
    const { id, bindings, arrivals } = this.#parts
    if (!shard.isUp || arrivals === undefined) return
    const { listener } = arrivals
    const event = { engine: shard.engine, endpoint: listener.endpoint, shard: shard.index }
    trace('listener %s: shard %d has stopped accepting', listener.endpoint, shard.index)
    events.listenerPaused.publish(event)
    listener.onPaused(shard, {
      untaken: () => shard.accepted.untaken(id),
      resume: () => {
        // Published before it is done: the shard may be full again, and say so, before its answer is here.
        events.listenerResumed.publish(event)
        this.#retry(shard, () => bindings.resume(shard))
      },
    })
  }

  /** Tries until it succeeds, or the listener or the shard is gone: a failure must not end the listener. */
  #retry(shard: Shard, step: () => Promise<void>, pause = Backoff.first(RETRY_PAUSES, Math.random)): void {
    const { listener, clock } = this.#parts
    step().catch((error: unknown) => {
      if (!listener.isOpen || !shard.isUp) return
      trace('listener %s: shard %d does not serve it yet (%s)', listener.endpoint, shard.index, nameOf(error))
      if (listener instanceof ModuleListener) listener.onNotServed(shard, error)
      const again = (): void => {
        if (listener.isOpen && shard.isUp) this.#retry(shard, step, pause.next())
      }
      clock.setTimer(again, pause.delayMs, { keepsAlive: false })
    })
  }
}
