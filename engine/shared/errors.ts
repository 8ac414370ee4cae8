/**
 * Every code a `TransportError` can carry, with whether a retry can help.
 * The union type, the retry flag and the documentation table all follow from this one object.
 */
export const errorCodes = {
  ERR_ABORTED: { retryable: false },
  ERR_TIMEOUT: { retryable: true },
  ERR_REFUSED: { retryable: true },
  ERR_BACKLOG_FULL: { retryable: true },
  ERR_NOT_FOUND: { retryable: true },
  ERR_ACCESS: { retryable: false },
  ERR_ADDRESS_IN_USE: { retryable: false },
  ERR_PATH_TOO_LONG: { retryable: false },
  ERR_NOT_A_SOCKET: { retryable: false },
  ERR_INVALID_OPTION: { retryable: false },
  ERR_INVALID_ENDPOINT: { retryable: false },
  ERR_INVALID_FRAME: { retryable: false },
  ERR_UNSUPPORTED_PLATFORM: { retryable: false },
  ERR_FRAME_TOO_LARGE: { retryable: false },
  ERR_FRAMING: { retryable: false },
  ERR_HEADER_TOO_LARGE: { retryable: false },
  ERR_TRUNCATED: { retryable: true },
  ERR_FRAME_TIMEOUT: { retryable: true },
  ERR_BACKPRESSURE: { retryable: true },
  ERR_CLOSED: { retryable: false },
  ERR_RESET: { retryable: true },
  ERR_CONSUMER_BUSY: { retryable: false },
  ERR_HANDLER: { retryable: false },
  ERR_TOO_MANY_CONNECTIONS: { retryable: true },
  ERR_SPAWN: { retryable: false },
  ERR_EXIT: { retryable: true },
  ERR_SHARD_LOST: { retryable: true },
  ERR_SHARD_BOOT: { retryable: false },
  ERR_POOL_CLOSED: { retryable: false },
  ERR_ACQUIRE_TIMEOUT: { retryable: true },
  ERR_LEASE_ENDED: { retryable: false },
  ERR_VALIDATION: { retryable: true },
  ERR_GAVE_UP: { retryable: false },
  ERR_CIRCUIT_OPEN: { retryable: true },
  ERR_ENGINE_CLOSED: { retryable: false },
  ERR_OUT_OF_MEMORY: { retryable: true },
  ERR_IO: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>

/** The code of a `TransportError`. */
export type TransportErrorCode = keyof typeof errorCodes

export interface TransportErrorDetails {
  /** The error underneath, usually a Node system error. */
  cause?: unknown
  /** The endpoint that was dialled, listened on or connected. */
  endpoint?: string | undefined
}

/** The one error class of this package. `code` says what happened, `message` says what to do about it. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: TransportErrorCode
  readonly endpoint: string | undefined
  /** Whether the same call may succeed later without the caller changing anything. */
  readonly retryable: boolean

  constructor(code: TransportErrorCode, message: string, details: TransportErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.endpoint = details.endpoint
    this.retryable = errorCodes[code].retryable
  }
}

/** An error as it crosses from a worker to the main thread: structured clone drops `code` and `cause`. */
export interface WireError {
  readonly code: TransportErrorCode
  readonly message: string
  readonly systemCode: string | undefined
  readonly syscall: string | undefined
}

/** What a control call returns: errors travel as values because Comlink drops their codes. */
export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: WireError }

export function toWireError(error: unknown, fallback: TransportErrorCode = 'ERR_IO'): WireError {
  if (error instanceof TransportError) {
    const cause = error.cause as NodeJS.ErrnoException | undefined
    return { code: error.code, message: error.message, systemCode: cause?.code, syscall: cause?.syscall }
  }
  const system = error as NodeJS.ErrnoException
  return { code: fallback, message: system.message, systemCode: system.code, syscall: system.syscall }
}

export function fromWireError(error: WireError, endpoint?: string): TransportError {
  const cause =
    error.systemCode === undefined
      ? undefined
      : Object.assign(new Error(`${error.syscall ?? 'call'} ${error.systemCode}`), {
          code: error.systemCode,
          syscall: error.syscall,
        })
  return new TransportError(error.code, error.message, { cause, endpoint })
}

/** Turns a system error met while dialling or listening into the code and advice that its caller needs. */
export function fromSystemError(
  error: NodeJS.ErrnoException,
  doing: string,
  endpoint: string,
): TransportError {
  const details = { cause: error, endpoint }
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new TransportError(
        'ERR_NOT_FOUND',
        `${doing} ${endpoint}: there is no such path. Start the peer first, or check the path.`,
        details,
      )
    case 'ECONNREFUSED':
      return new TransportError(
        'ERR_REFUSED',
        `${doing} ${endpoint}: nobody listens there. Start the peer, or remove the stale socket.`,
        details,
      )
    case 'EAGAIN':
      return new TransportError(
        'ERR_BACKLOG_FULL',
        `${doing} ${endpoint}: the listener's backlog was full all the time. Its process accepts too slowly; retry later, allow more time, or raise its backlog.`,
        details,
      )
    case 'EACCES':
    case 'EPERM':
      return new TransportError(
        'ERR_ACCESS',
        `${doing} ${endpoint}: permission denied. Run as the owner of the socket, or have its mode changed.`,
        details,
      )
    case 'EADDRINUSE':
      return new TransportError(
        'ERR_ADDRESS_IN_USE',
        `${doing} ${endpoint}: another process listens there. Stop it, or choose another endpoint.`,
        details,
      )
    case 'ENOTSOCK':
    case 'EPROTOTYPE':
      return new TransportError(
        'ERR_NOT_A_SOCKET',
        `${doing} ${endpoint}: the path is not a stream socket. Choose another path; nothing was removed.`,
        details,
      )
    case 'ECONNRESET':
    case 'EPIPE':
      return new TransportError(
        'ERR_RESET',
        `${doing} ${endpoint}: the peer closed the connection. Connect again.`,
        details,
      )
    case 'EMFILE':
    case 'ENFILE':
      return new TransportError(
        'ERR_IO',
        `${doing} ${endpoint}: out of file descriptors. Close connections, or raise the limit (ulimit -n).`,
        details,
      )
    default:
      return new TransportError('ERR_IO', `${doing} ${endpoint}: ${error.message}`, details)
  }
}
