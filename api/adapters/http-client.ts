/** Clients of HTTP over any transport: a `http.Agent` for `node:http`, and `connect` for undici. */
import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http'
import type { Socket } from 'node:net'
import { flagCheck } from '../../engine/common/option-checks.js'
import { assertTransport } from './arguments.js'
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { DialledSocket, type DiallingTransport } from './http-dial.js'
import { HttpSocket } from './http-socket.js'

/** As of `http.Agent`. */
export interface HttpAgentOptions {
  /** Whether connections are used again. Default true. */
  readonly keepAlive?: boolean | undefined
  /** How many connections there may be, at least 1; further requests wait. Default Infinity. */
  readonly maxSockets?: number | undefined
  /** How many idle connections are kept, at least 1. Default 256. */
  readonly maxFreeSockets?: number | undefined
  /** As `maxSockets`: all connections have one name. */
  readonly maxTotalSockets?: number | undefined
  /** Which idle connection is used next: the last one used (`lifo`, default), or the first (`fifo`). */
  readonly scheduling?: 'fifo' | 'lifo' | undefined
  /** After how long a silence a request emits `timeout`, and an idle connection is closed, in ms. Default 0: never. */
  readonly timeout?: number | undefined
}

const count = (value: unknown): string | undefined =>
  value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 1)
    ? undefined
    : 'an integer from 1, or Infinity'

const checks = {
  keepAlive: flagCheck,
  maxSockets: count,
  maxFreeSockets: count,
  maxTotalSockets: count,
  scheduling: (value: unknown) => (value === 'fifo' || value === 'lifo' ? undefined : '"fifo" or "lifo"'),
  timeout: (value: unknown) =>
    Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : 'an integer from 0, in milliseconds',
} satisfies Checks

class TransportAgent extends Agent {
  readonly #transport: DiallingTransport

  constructor(transport: DiallingTransport, options: AgentOptions) {
    super(options)
    this.#transport = transport
  }

  /** All hosts are the one that listens there: they share connections and limits. */
  override getName(): string {
    return this.#transport.endpoint
  }

  override createConnection({ timeout = 0 }: ClientRequestArgs): DialledSocket {
    const socket = new DialledSocket(this.#transport)
    if (timeout > 0) socket.setTimeout(timeout)
    return socket
  }
}

/**
 * For `http.request({ agent })`: every request goes over the transport, whatever its host. Use `raw` framing, unless
 * both ends are this package. A request fails with the error of its connect or its connection, a TransportError; one
 * whose connection ends without a response fails with Node's ECONNRESET. `agent.destroy()` ends connections and dials.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function createHttpAgent(transport: DiallingTransport, options: HttpAgentOptions = {}): Agent {
  assertTransport(transport, 'createHttpAgent()', 'connect')
  const given = readOptions<HttpAgentOptions>(options, checks, 'createHttpAgent()')
  const known = Object.entries(given).filter(([, value]) => value !== undefined)
  return new TransportAgent(transport, { keepAlive: true, ...Object.fromEntries(known) })
}

/** As undici calls it. */
export type UndiciConnect = (
  options: { readonly protocol: string },
  callback: (...result: [null, Socket] | [Error, null]) => void,
) => void

/**
 * The option `connect` of undici's `Client`, `Pool` and `Agent`: every connection is one of the transport, whatever the
 * origin. Use `raw` framing, unless both ends are this package. A request fails with the error of its connect; https:
 * origins are ERR_INVALID_OPTION.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toUndiciConnect(transport: DiallingTransport): UndiciConnect {
  assertTransport(transport, 'toUndiciConnect()', 'connect')
  return ({ protocol }, callback) => {
    if (protocol === 'https:') {
      const message = 'toUndiciConnect(): there is no TLS over a local transport. Use an http: URL.'
      callback(new TransportError('ERR_INVALID_OPTION', message, { endpoint: transport.endpoint }), null)
      return
    }
    transport.connect().then(
      // It has what undici calls.
      (connection) => callback(null, new HttpSocket(connection, { allowHalfOpen: false }) as unknown as Socket),
      (error: unknown) => callback(error as Error, null),
    )
  }
}
