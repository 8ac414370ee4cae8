import { TransportError } from '../protocol/errors.js'

/** What `closed` says after `destroy(reason)`. */
export function destroyReason(reason: Error | undefined, endpoint: string): TransportError {
  if (reason instanceof TransportError) return reason
  const cause = reason ?? undefined
  return new TransportError('ERR_ABORTED', 'the connection was destroyed by its owner.', { cause, endpoint })
}
