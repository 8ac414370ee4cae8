/** Clients of HTTP over any transport: a `http.Agent` for `node:http`, and `connect` for undici. */
import { Agent, type AgentOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { Connection } from '../../engine/common/connection.js'
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { WaitOptions } from '../../engine/protocol/waiter.js'
import { HttpSocket } from './http-socket.js'

/** A `Transport`, or whatever dials as it does. */
export interface DiallingTransport {
  readonly endpoint: string
  connect(options?: WaitOptions): Promise<Connection>
}

/** As of `http.Agent`. */
export interface HttpAgentOptions extends Pick<
  AgentOptions,
  'keepAlive' | 'maxSockets' | 'maxFreeSockets' | 'maxTotalSockets' | 'scheduling' | 'timeout'
> {
  /** Whether connections are used again. Default true. */
  readonly keepAlive?: boolean
}

const count = (value: unknown): string | undefined =>
  value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 1)
    ? undefined
    : 'an integer from 1, or Infinity'

const checks = {
  keepAlive: (value: unknown) => (typeof value === 'boolean' ? undefined : 'true or false'),
  maxSockets: count,
  maxFreeSockets: count,
  maxTotalSockets: count,
  scheduling: (value: unknown) => (value === 'fifo' || value === 'lifo' ? undefined : '"fifo" or "lifo"'),
  timeout: (value: unknown) =>
    Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : 'an integer from 0, in milliseconds',
} satisfies Checks

class TransportAgent extends Agent {
  readonly #transport: DiallingTransport
  /** Dials under way. */
  readonly #dials = new Set<AbortController>()

  constructor(transport: DiallingTransport, options: AgentOptions) {
    super(options)
    this.#transport = transport
  }

  /** All hosts are the one that listens there: they share connections and limits. */
  override getName(): string {
    return this.#transport.endpoint
  }

  override createConnection(_options: unknown, onSocket?: Parameters<Agent['createConnection']>[1]): undefined {
    // In Node it may be called without a socket, if there is an error.
    const settle = onSocket as ((error: Error | null, socket?: HttpSocket) => void) | undefined
    const dial = new AbortController()
    this.#dials.add(dial)
    openSocket(this.#transport, { signal: dial.signal }).then(
      (socket) => {
        this.#dials.delete(dial)
        settle?.(null, socket)
      },
      (error: unknown) => {
        this.#dials.delete(dial)
        settle?.(error as Error)
      },
    )
    return undefined
  }

  override destroy(): void {
    for (const dial of this.#dials) dial.abort()
    super.destroy()
  }
}

async function openSocket(transport: DiallingTransport, options?: WaitOptions): Promise<HttpSocket> {
  return new HttpSocket(await transport.connect(options), { allowHalfOpen: false })
}

/**
 * For `http.request({ agent })`: every request goes over the transport, whatever its host. Use `raw` framing, unless
 * both ends are this package. A request fails with the error of its connect or its connection, a TransportError; one
 * whose connection ends without a response fails with Node's ECONNRESET. `agent.destroy()` ends connections and dials.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function createHttpAgent(transport: DiallingTransport, options: HttpAgentOptions = {}): Agent {
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
 */
export function toUndiciConnect(transport: DiallingTransport): UndiciConnect {
  return ({ protocol }, callback) => {
    if (protocol === 'https:') {
      const message = 'toUndiciConnect(): there is no TLS over a local transport. Use an http: URL.'
      callback(new TransportError('ERR_INVALID_OPTION', message, { endpoint: transport.endpoint }), null)
      return
    }
    openSocket(transport).then(
      // It has what undici calls.
      (socket) => callback(null, socket as unknown as Socket),
      (error: unknown) => callback(error as Error, null),
    )
  }
}
