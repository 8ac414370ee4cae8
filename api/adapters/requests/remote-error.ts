/** What a handler of the other side failed with: as it crosses, and as it arrives. */
import { failureCodes, type Failure } from './messages.js'

/** What the peer answered in place of a result. Its stack stays where it was. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  /** The `code` of what was thrown, if that is a text; otherwise the number of the answer. */
  readonly code: string | number
  /** What else the peer says about it, unchecked. */
  readonly data: unknown

  /** To throw in a handler: a text or an integer arrives as the `code` of the other side's `RemoteError`. */
  constructor(message: string, code: string | number = failureCodes.handler, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** As the caller gets it. */
export function errorOf({ code, message, data }: Failure): RemoteError {
  const text = typeof data === 'object' && data !== null && 'code' in data ? data.code : undefined
  return new RemoteError(message, typeof text === 'string' ? text : code, data)
}

/** What a handler has thrown: its message and its code, and nothing else of it. */
export function failureOf(thrown: unknown, isCancelled: boolean): Failure {
  const number = isCancelled ? failureCodes.cancelled : failureCodes.handler
  try {
    if (!(thrown instanceof Error)) return { code: number, message: 'the handler threw what is not an error' }
    const { message } = thrown
    const { code } = thrown as { readonly code?: unknown }
    if (typeof code === 'string') return { code: number, message, data: { code } }
    return { code: Number.isSafeInteger(code) ? Number(code) : number, message }
  } catch {
    // A getter of what was thrown.
    return { code: number, message: 'the handler threw what cannot be read' }
  }
}
