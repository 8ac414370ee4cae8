import { describeDenial, isDenied } from './permission.js'

/** Every code of a `TransportError`, with whether a retry can help. The documentation's table follows from it. */
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
  ERR_INVALID_MESSAGE: { retryable: false },
  ERR_UNSUPPORTED_PLATFORM: { retryable: false },
  ERR_UNSUPPORTED_RUNTIME: { retryable: false },
  ERR_FRAME_TOO_LARGE: { retryable: false },
  ERR_FRAMING: { retryable: false },
  ERR_HANDSHAKE: { retryable: false },
  ERR_HEADER_TOO_LARGE: { retryable: false },
  ERR_TRUNCATED: { retryable: true },
  ERR_FRAME_TIMEOUT: { retryable: true },
  ERR_BACKPRESSURE: { retryable: true },
  ERR_CLOSED: { retryable: false },
  ERR_RESET: { retryable: true },
  ERR_CONSUMER_BUSY: { retryable: false },
  ERR_HANDLER: { retryable: false },
  ERR_HANDLER_LOAD: { retryable: false },
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

/** The same in every copy of this file. */
const brand = Symbol.for('symphony-transport.TransportError')

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

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }

  /** One thread may have several copies of this class, such as one in the bundle of a shard and one of a handler. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // A subclass inherits this, and other errors are none of its instances.
    if (this !== TransportError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return value instanceof Error && brand in value
  }
}

/** An error as it crosses from a worker to the main thread: structured clone drops `code` and `cause`. */
export interface SerializedError {
  readonly code: TransportErrorCode
  readonly message: string
  readonly systemCode: string | undefined
  readonly syscall: string | undefined
  /** What a function of the host's threw, where that is why. */
  readonly thrown?: { readonly name: string; readonly message: string; readonly stack: string | undefined } | undefined
}

/** What a control call returns: errors travel as values because Comlink drops their codes. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: SerializedError }

export function serializeError(error: unknown): SerializedError {
  if (error instanceof TransportError) {
    const { code, message, cause } = error
    const serialized = { code, message, systemCode: textAt(cause, 'code'), syscall: textAt(cause, 'syscall') }
    if (code !== 'ERR_HANDLER_LOAD' || !isError(cause)) return serialized
    const thrown = {
      name: textAt(cause, 'name') ?? 'Error',
      message: textAt(cause, 'message') ?? '',
      stack: textAt(cause, 'stack'),
    }
    return { ...serialized, thrown }
  }
  const { code, message, syscall } = error as NodeJS.ErrnoException
  const denied = isDenied(error)
  return {
    code: denied ? 'ERR_ACCESS' : 'ERR_IO',
    message: denied ? `${describeDenial(error)}.` : message,
    systemCode: code,
    syscall,
  }
}

function isError(value: unknown): boolean {
  try {
    return value instanceof Error
  } catch {
    return false
  }
}

/** The host may throw anything: also what throws when it is looked at, or has parts that no other thread can get. */
function textAt(value: unknown, key: string): string | undefined {
  try {
    const text: unknown = Reflect.get(Object(value) as object, key)
    return typeof text === 'string' ? text : undefined
  } catch {
    return undefined
  }
}

export function deserializeError(error: SerializedError, endpoint?: string): TransportError {
  const cause =
    error.thrown !== undefined
      ? thrownError(error.thrown, error.systemCode)
      : error.systemCode === undefined
        ? undefined
        : Object.assign(new Error(`${error.syscall ?? 'call'} ${error.systemCode}`), {
            code: error.systemCode,
            syscall: error.syscall,
          })
  return new TransportError(error.code, error.message, { cause, endpoint })
}

/** With the stack that it had in its own thread. */
function thrownError(
  { name, message, stack }: NonNullable<SerializedError['thrown']>,
  code: string | undefined,
): Error {
  const error = new Error(message)
  error.name = name
  if (stack !== undefined) error.stack = stack
  return code === undefined ? error : Object.assign(error, { code })
}

/** What was being done when the system said no: what helps depends on it. */
export type Doing = 'connecting to' | 'listening on' | 'starting' | 'opening' | 'giving worker threads'

/** Turns a system error met while dialling or listening into the code and advice that its caller needs. */
export function fromSystemError(error: NodeJS.ErrnoException, doing: Doing, endpoint: string): TransportError {
  const [code, advice] = explain(error, doing)
  return new TransportError(code, `${doing} ${endpoint}: ${advice}`, { cause: error, endpoint })
}

function explain(error: NodeJS.ErrnoException, doing: Doing): readonly [TransportErrorCode, string] {
  if (isDenied(error)) return ['ERR_ACCESS', `${describeDenial(error)}.`]
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return ['ERR_NOT_FOUND', missing[doing]]
    case 'ECONNREFUSED':
      return ['ERR_REFUSED', 'nobody listens there. Start the peer, or remove the stale socket.']
    case 'EAGAIN':
      return [
        'ERR_BACKLOG_FULL',
        "the listener's backlog was full all the time. Its process accepts too slowly; retry later, allow more time, or raise its backlog.",
      ]
    case 'EACCES':
    case 'EPERM':
      return ['ERR_ACCESS', `permission denied. ${forbidden[doing]}`]
    case 'EROFS':
      return ['ERR_ACCESS', `the file system is read-only. ${forbidden[doing]}`]
    case 'EADDRINUSE':
      return ['ERR_ADDRESS_IN_USE', 'another process listens there. Stop it, or choose another endpoint.']
    case 'ENOTSOCK':
    case 'EPROTOTYPE':
      return ['ERR_NOT_A_SOCKET', 'the path is not a stream socket. Choose another path; nothing was removed.']
    case 'ECONNRESET':
    case 'EPIPE':
      return ['ERR_RESET', 'the peer closed the connection. Connect again.']
    case 'EMFILE':
    case 'ENFILE':
      return ['ERR_IO', 'out of file descriptors. Close connections, or raise the limit (ulimit -n).']
    default:
      return ['ERR_IO', error.message]
  }
}

const noSuchPath = 'there is no such path. Start the peer first, or check the path.'

const noTemporaryFolder = "the system's temporary folder is not there. Make it, or set TMPDIR to one that is."

const missing: Readonly<Record<Doing, string>> = {
  'connecting to': noSuchPath,
  opening: noSuchPath,
  'listening on': 'there is no such folder. Make it first, or check the path.',
  // A child's stdin and stdout are handed over there, and sockets to worker threads.
  starting: noTemporaryFolder,
  'giving worker threads': noTemporaryFolder,
}

const ownersOnly = 'Run as the owner of the socket, or have its mode changed.'

const forbidden: Readonly<Record<Doing, string>> = {
  'connecting to': ownersOnly,
  opening: ownersOnly,
  'listening on': 'Run as the owner of that folder and of what lies there, or listen in another one.',
  starting: "Set TMPDIR to a folder that you may write to: the child's stdin and stdout are handed over there.",
  'giving worker threads': 'Set TMPDIR to a folder that you may write to: the socket is handed over there.',
}
