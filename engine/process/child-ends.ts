/** Main's ends of what becomes a child's stdin and stdout; a shard has the other ends. */
import type net from 'node:net'
import process from 'node:process'
import { fromSystemError, TransportError } from '../protocol/errors.js'
import type { ChildEnd, ChildEnds } from './child-end.js'
import { offerPipes } from './child-pipe-ends.js'
import { openOneShotListener, type OneShotListener } from '../sockets/one-shot-listener.js'

/** @throws The system's error as one of ours, where there is no place to meet in. */
export function offerEnds(endpoint: string): ChildEnds {
  return process.platform === 'win32' ? offerPipes(endpoint) : offerSockets(endpoint)
}

function offerSockets(endpoint: string): ChildEnds {
  const stdin = new Meeting(endpoint)
  const stdout = new Meeting(endpoint)
  const close = (): void => {
    stdin.close()
    stdout.close()
  }
  try {
    return {
      target: { kind: 'child-stdio', stdin: stdin.open(), stdout: stdout.open() },
      take: () => Promise.all([stdin.end, stdout.end]),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

export function nobodyCame(endpoint: string): TransportError {
  return new TransportError('ERR_ABORTED', 'starting the child process was given up.', { endpoint })
}

/**
 * The shard's ends were closed and nobody gave up: where a process has no descriptor left to accept a connection with,
 * libuv closes the connection, so that it does not hear of it again and again (uv__emfile_trick).
 */
export function notAccepted(endpoint: string): TransportError {
  return new TransportError(
    'ERR_IO',
    `starting ${endpoint}: its stdin and stdout were closed before it had them, most likely for want of descriptors. Close connections, raise the limit (ulimit -n), or retry later.`,
    { endpoint },
  )
}

/** One end of what the shard connects to, for the child. */
class Meeting {
  readonly end: Promise<ChildEnd>
  readonly #endpoint: string
  #settle!: { resolve: (end: ChildEnd) => void; reject: (error: Error) => void }
  #rendezvous: OneShotListener | undefined

  constructor(endpoint: string) {
    this.#endpoint = endpoint
    this.end = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.end.catch(ignore)
  }

  /** Returns where the shard is to connect. */
  open(): string {
    const { resolve, reject } = this.#settle
    const onMeeting = (socket: net.Socket): void => {
      resolve({ stdio: socket, close: () => socket.destroy() })
    }
    try {
      this.#rendezvous = openOneShotListener(onMeeting, (error) => {
        reject(fromSystemError(error, 'starting', this.#endpoint))
      })
    } catch (error) {
      throw explain(error, this.#endpoint)
    }
    return this.#rendezvous.path
  }

  close(): void {
    this.#rendezvous?.close()
    this.#settle.reject(nobodyCame(this.#endpoint))
    this.end.then((end) => {
      end.close()
    }, ignore)
  }
}

function explain(error: unknown, endpoint: string): TransportError {
  if (!(error instanceof TransportError)) return fromSystemError(error as NodeJS.ErrnoException, 'starting', endpoint)
  return new TransportError(error.code, `starting ${endpoint}: ${error.message}`, { cause: error, endpoint })
}

function ignore(): void {
  // Nobody came.
}
