/** A server of `node:http` whose connections come from a listener of any transport. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Connection } from '../../engine/common/connection.js'
import { assertTransport } from './arguments.js'
import { describe } from '../../engine/common/describe.js'
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { atWork } from './handlers.js'
import { HttpSocket } from './http-socket.js'

/** What `listen()` returns, as far as used. */
export interface HttpListener {
  readonly endpoint: string
  readonly closed: Promise<{ readonly code: string; readonly cause?: Error | undefined }>
  close(): Promise<unknown>
}

/** A `Transport`, or whatever listens as it does. */
export interface ListeningTransport {
  listen(handler: (connection: Connection) => unknown): Promise<HttpListener>
}

export interface HttpServiceCloseOptions {
  /** How long requests at work and upgraded connections have, in milliseconds. Default 1,000. */
  readonly graceMs?: number | undefined
}

/** What `serveHttp()` returns. It keeps the process alive until it is closed. */
export interface HttpService {
  readonly endpoint: string
  /** The server that was given, or made for the function that was. */
  readonly server: Server
  /** Settles once, never rejects: why the listener ended. */
  readonly closed: HttpListener['closed']
  /**
   * Stops accepting, ends idle connections, and lets requests at work finish; what is left after `graceMs` is cut.
   * The server's connections of other listeners go on. Rejects with ERR_INVALID_OPTION, and has then closed nothing.
   */
  close(options?: HttpServiceCloseOptions): Promise<void>
}

const checks = {
  graceMs: (value: unknown) =>
    typeof value === 'number' && value >= 0 && value <= 2 ** 31 - 1 ? undefined : 'a number from 0 to 2,147,483,647',
} satisfies Checks

/** How many listeners hand a server connections. */
const services = new WeakMap<Server, number>()

/**
 * Hands every connection of a listener to a server of `node:http`, which goes on with its own timeouts, upgrades and
 * events. Use `raw` framing, unless all clients are this package. Rejects as `listen()` does.
 * @throws {TransportError} ERR_INVALID_OPTION: neither a function nor a server of `node:http`
 */
export async function serveHttp(
  transport: ListeningTransport,
  handler: RequestListener | Server,
): Promise<HttpService> {
  assertTransport(transport, 'serveHttp()', 'listen')
  const server = typeof handler === 'function' ? createServer(handler) : serverOf(handler)
  const connections = new HttpConnections(server)
  begin(server)
  const listener = await transport
    .listen((connection) => connections.add(connection))
    .catch((error: unknown) => {
      connections.detach()
      finish(server)
      throw error
    })
  let closing: Promise<void> | undefined
  void listener.closed.then(() => finish(server))
  return {
    endpoint: listener.endpoint,
    server,
    closed: listener.closed,
    close: async (options = {}) => {
      const { graceMs = 1_000 } = readOptions<HttpServiceCloseOptions>(options, checks, 'close()')
      closing ??= listener.close().then(() => connections.close(graceMs))
      await closing
    },
  }
}

function serverOf(given: unknown): Server {
  const isServer = typeof given === 'object' && given !== null && 'emit' in given && 'closeIdleConnections' in given
  if (isServer) return given as Server
  const message = `serveHttp(): expected a function or a server of node:http, got ${describe(given)}.`
  throw new TransportError('ERR_INVALID_OPTION', message)
}

/** `node:http` begins to look for requests that take too long when its server listens. */
function begin(server: Server): void {
  const count = services.get(server) ?? 0
  services.set(server, count + 1)
  if (count === 0 && !server.listening) server.emit('listening')
}

function finish(server: Server): void {
  const count = (services.get(server) ?? 1) - 1
  services.set(server, count)
  if (count === 0 && !server.listening) server.close()
}

interface Served {
  readonly connection: Connection
  /** What it answers now, in order, with what is to be called when that is over. */
  readonly answers: Map<ServerResponse, () => void>
}

class HttpConnections {
  readonly #server: Server
  /** The connections that are open. */
  readonly #sockets = new Map<HttpSocket, Served>()
  readonly #upgraded = new WeakSet<object>()
  /** Called when the last one has closed; undefined: it is open. */
  #onEmpty: (() => void) | undefined

  constructor(server: Server) {
    this.#server = server
    server.prependListener('request', this.#onRequest)
  }

  add(connection: Connection): void {
    const socket = new HttpSocket(connection, { allowHalfOpen: true })
    const answers: Served['answers'] = new Map()
    this.#sockets.set(socket, { connection, answers })
    socket.once('close', () => {
      this.#sockets.delete(socket)
      // One that waits behind another is not told by `node:http`.
      for (const isOver of answers.values()) isOver()
      if (this.#sockets.size === 0) this.#onEmpty?.()
    })
    this.#watchUpgrades()
    this.#server.emit('connection', socket)
  }

  async close(graceMs: number): Promise<void> {
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
    for (const [socket, { answers }] of this.#sockets) {
      // Behind an answer that says so no other one would come.
      const last = [...answers.keys()].at(-1)
      if (last?.headersSent === false) last.setHeader('connection', 'close')
      this.#endIfIdle(socket)
    }
    const cut = (): void => {
      for (const socket of this.#sockets.keys()) socket.destroy()
    }
    const cancel = systemClock.setTimer(cut, graceMs)
    if (this.#sockets.size > 0) await empty
    cancel()
    this.detach()
  }

  detach(): void {
    this.#server.off('request', this.#onRequest)
    for (const event of UPGRADES) this.#server.off(event, this.#onUpgrade)
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const socket = request.socket as unknown as HttpSocket
    const found = this.#sockets.get(socket)
    // The server has other listeners, too.
    if (found === undefined) return
    const { connection, answers } = found
    if (this.#onEmpty !== undefined) response.setHeader('connection', 'close')
    const answered = new Promise<void>((resolve) => {
      answers.set(response, resolve)
      response.once('close', () => {
        answers.delete(response)
        resolve()
        if (this.#onEmpty !== undefined) this.#endIfIdle(socket)
      })
    })
    // `engine.close()` waits for it.
    atWork(connection, answered)
  }

  readonly #onUpgrade = (request: IncomingMessage): void => {
    this.#upgraded.add(request.socket)
  }

  /** Not before the server itself has listeners for them: with ours alone it would take what it has to refuse. */
  #watchUpgrades(): void {
    for (const event of UPGRADES) {
      const listeners = this.#server.listeners(event)
      if (listeners.length > 0 && !listeners.includes(this.#onUpgrade)) {
        this.#server.prependListener(event, this.#onUpgrade)
      }
    }
  }

  #endIfIdle(socket: HttpSocket): void {
    const isIdle = this.#sockets.get(socket)?.answers.size === 0 && !this.#upgraded.has(socket)
    if (isIdle) socket.destroySoon()
  }
}

const UPGRADES = ['upgrade', 'connect'] as const
