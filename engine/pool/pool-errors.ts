/** The errors of pools. */
import { nameOf } from '../common/describe.js'
import { TransportError } from '../protocol/errors.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import type { PoolStats } from './pool-stats.js'

export function poolClosed(endpoint: string, cause: unknown): TransportError {
  return new TransportError('ERR_POOL_CLOSED', 'the pool is closed. Make a new one.', { cause, endpoint })
}

export function acquireTimeout(
  endpoint: string,
  timeoutMs: number,
  stats: PoolStats,
  max: number,
  lastFailure: unknown,
): TransportError {
  const { leased, connecting, validating } = stats
  const advice =
    lastFailure === undefined
      ? 'Release leases sooner, raise max, or allow more time.'
      : 'Making a connection failed: see the cause.'
  return new TransportError(
    'ERR_ACQUIRE_TIMEOUT',
    `no connection was free within ${String(timeoutMs)} ms: of at most ${String(max)}, ${String(leased)} are in use, ${String(connecting)} are being made, ${String(validating)} are being validated. ${advice}`,
    { cause: lastFailure, endpoint },
  )
}

/** Making connections keeps failing: with the code of the last failure, which is the cause. */
export function creationFailed(endpoint: string, failures: number, cause: unknown): TransportError {
  const known = cause instanceof TransportError
  return new TransportError(
    known ? cause.code : 'ERR_IO',
    `the pool could not make a connection (${String(failures)} failed in a row): ${known ? cause.message : nameOf(cause)}`,
    { cause, endpoint },
  )
}

export function invalidConnection(endpoint: string, cause: unknown): TransportError {
  if (cause === undefined) return unfit(endpoint, 'invalid')
  const message = 'validate() failed, so the connection was destroyed. See the cause.'
  return new TransportError('ERR_VALIDATION', message, { cause, endpoint })
}

export function slowValidation(endpoint: string, timeoutMs: number): TransportError {
  const message = `validate() had not settled after ${String(timeoutMs)} ms (acquireTimeoutMs), so the connection was destroyed.`
  return new TransportError('ERR_VALIDATION', message, { endpoint })
}

const UNFIT = {
  ended: ['ERR_RESET', 'the peer accepted the connection and ended it before it could be used.'],
  unread: ['ERR_CLOSED', 'bytes came unasked, or were not read, so the connection left its pool.'],
  unsent: ['ERR_CLOSED', 'frames had not been sent, so the connection left its pool.'],
  busy: ['ERR_CLOSED', 'the connection was still being read when it was released, so it left its pool.'],
  invalid: ['ERR_VALIDATION', 'validate() said that the connection is not good.'],
} as const

export function unfit(endpoint: string, why: ReuseBlocker | 'invalid'): TransportError {
  const [code, message] = UNFIT[why]
  return new TransportError(code, message, { endpoint })
}
