/** Main's ends of what becomes a child's stdin and stdout; a shard has the other ends. */
import process from 'node:process'
import { systemClock } from '../protocol/clock.js'
import { fromSystemError, TransportError } from '../protocol/errors.js'
import { Waiter } from '../protocol/waiter.js'
import { meetingFailure, openOneShotListener, type OneShotListener } from '../sockets/one-shot-listener.js'
import { offerPipes } from './child-ends-windows.js'
import type { StdioEnd, StdioOffer } from './stdio-end.js'

/** @throws {TransportError} Where the shard has nothing to dial. */
export function offerStdio(endpoint: string): StdioOffer {
  return process.platform === 'win32' ? offerPipes(endpoint) : offerSockets(endpoint)
}

function offerSockets(endpoint: string): StdioOffer {
  const stdin = new SocketOffer(endpoint)
  let stdout: SocketOffer
  try {
    stdout = new SocketOffer(endpoint)
  } catch (error) {
    stdin.close()
    throw error
  }
  return {
    target: { kind: 'child-stdio', stdin: stdin.path, stdout: stdout.path },
    take: () => Promise.all([stdin.end, stdout.end]),
    close() {
      stdin.close()
      stdout.close()
    },
  }
}

export function startGivenUp(endpoint: string): TransportError {
  return new TransportError('ERR_ABORTED', 'starting the child process was given up.', { endpoint })
}

/** libuv closes a connection that the process has no descriptor left to accept with (uv__emfile_trick). */
export function notAccepted(endpoint: string): TransportError {
  return new TransportError(
    'ERR_IO',
    `starting ${endpoint}: its stdin and stdout were closed before it had them, most likely for want of descriptors. Close connections, raise the limit (ulimit -n), or retry later.`,
    { endpoint },
  )
}

/** The end of one socket that the shard dials. */
class SocketOffer {
  readonly #endpoint: string
  readonly #end: Waiter<StdioEnd>
  readonly #listener: OneShotListener

  constructor(endpoint: string) {
    this.#endpoint = endpoint
    this.#end = new Waiter('starting the child process', endpoint, {}, systemClock, () => undefined)
    this.end.catch(() => undefined)
    try {
      this.#listener = openOneShotListener(
        (socket) => this.#end.resolve({ stdio: socket, close: () => socket.destroy() }),
        (error) => this.#end.reject(fromSystemError(error, 'starting', endpoint)),
      )
    } catch (error) {
      throw meetingFailure(error, 'starting', endpoint)
    }
  }

  get path(): string {
    return this.#listener.path
  }

  get end(): Promise<StdioEnd> {
    return this.#end.promise
  }

  close(): void {
    this.#listener.close()
    this.#end.reject(startGivenUp(this.#endpoint))
    this.end.then(
      (end) => end.close(),
      () => undefined,
    )
  }
}
