/** Checks errors as the API promises them: the class, the code, and a message with content. */
import type { ExecutionContext } from 'ava'
import { TransportError, type TransportErrorCode } from '../../api/index.js'

function check(t: ExecutionContext, error: unknown, code: TransportErrorCode): TransportError {
  if (!(error instanceof TransportError)) {
    t.fail(`expected a TransportError ${code}, got ${String(error)}`)
    throw error
  }
  t.is(error.code, code, error.message)
  t.true(error.message.length > 0)
  return error
}

export async function rejects(
  t: ExecutionContext,
  promise: Promise<unknown>,
  code: TransportErrorCode,
): Promise<TransportError> {
  try {
    await promise
  } catch (error) {
    return check(t, error, code)
  }
  t.fail(`expected a rejection with ${code}`)
  throw new Error('not rejected')
}

export function throws(t: ExecutionContext, fn: () => unknown, code: TransportErrorCode): TransportError {
  try {
    fn()
  } catch (error) {
    return check(t, error, code)
  }
  t.fail(`expected ${code} to be thrown`)
  throw new Error('not thrown')
}
