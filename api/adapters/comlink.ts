/** A connection as an endpoint of `comlink`, whose interface is written out here, so that package is not needed. */
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { Channels } from './comlink-channels.js'
import type { ComlinkCodec } from './comlink-wire.js'

export interface ComlinkOptions {
  /**
   * How values cross: 'v8' (default), by the structured clone algorithm as V8 writes it, so that both ends have to be
   * Node, and the older one the newer one's format; or 'json'. Both ends must have the same.
   */
  readonly codec?: ComlinkCodec | undefined
}

export type { ComlinkCodec } from './comlink-wire.js'

/** What `expose()` and `wrap()` take. */
export interface ComlinkEndpoint {
  /** @throws {TransportError} ERR_INVALID_FRAME, ERR_FRAME_TOO_LARGE, ERR_BACKPRESSURE: the call rejects with it. */
  readonly postMessage: (message: object, transfer?: readonly unknown[]) => void
  readonly addEventListener: (type: string, listener: object) => void
  readonly removeEventListener: (type: string, listener: object) => void
  /** Reads from here on; Comlink calls it. @throws {TransportError} ERR_CONSUMER_BUSY */
  readonly start: () => void
}

const checks = {
  codec: (value: unknown) => (value === 'v8' || value === 'json' ? undefined : '"v8" or "json"'),
} satisfies Checks

/**
 * One for each connection, whose one consumer it is. When the connection ends, every call that has no answer rejects
 * with code ERR_CLOSED, and so does each later one. `Comlink.proxy()` works in arguments and results, 1,024 at a time;
 * `Comlink.transfer()` and `createEndpoint` do not: ERR_INVALID_FRAME. An answer that finds no room, because the peer
 * reads none, ends the connection with ERR_BACKPRESSURE, and a frame that is no message of Comlink, or is JSON of more
 * than 1,000 levels, with ERR_INVALID_MESSAGE. Comlink lets the peer reach whatever can be reached from the exposed
 * object: expose it to programs that you trust only.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toComlinkEndpoint(connection: Adaptable, options: ComlinkOptions = {}): ComlinkEndpoint {
  assertConnection(connection, 'toComlinkEndpoint()')
  const { codec = 'v8' } = readOptions<ComlinkOptions>(options, checks, 'toComlinkEndpoint()')
  return new Channels(connection, codec).root
}
