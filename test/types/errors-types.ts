/** What the compiler knows of errors: codes are a closed set, so that a switch over them can be complete. Never run. */
import { expectTypeOf } from 'expect-type'
import {
  TransportError,
  type ClosedInfo,
  type TransportErrorCode,
  type TransportErrorDetails,
} from 'symphony-transport'

declare const error: TransportError

expectTypeOf<TransportError>().toExtend<Error>()
expectTypeOf(error.code).toEqualTypeOf<TransportErrorCode>()
expectTypeOf<TransportError['name']>().toEqualTypeOf<'TransportError'>()
expectTypeOf(error.endpoint).toEqualTypeOf<string | undefined>()
expectTypeOf(error.retryable).toBeBoolean()

// Literals, not just text.
expectTypeOf<string>().not.toExtend<TransportErrorCode>()
expectTypeOf<TransportErrorCode>().toExtend<`ERR_${string}`>()
expectTypeOf<
  | 'ERR_TIMEOUT'
  | 'ERR_ABORTED'
  | 'ERR_HANDSHAKE'
  | 'ERR_CLOSED'
  | 'ERR_BACKPRESSURE'
  | 'ERR_SHARD_LOST'
  | 'ERR_EXIT'
  | 'ERR_GAVE_UP'
>().toExtend<TransportErrorCode>()
expectTypeOf<'OK'>().not.toExtend<TransportErrorCode>()

export function isTimeout(caught: unknown): caught is TransportError & { readonly code: 'ERR_TIMEOUT' } {
  // @ts-expect-error no such code
  if (error.code === 'ERR_TIMED_OUT') return false
  return caught instanceof TransportError && caught.code === 'ERR_TIMEOUT'
}

export function tells({ code, cause }: ClosedInfo): string {
  if (code === 'OK') return 'a clean end'
  expectTypeOf(code).toEqualTypeOf<TransportErrorCode>()
  return `${code}: ${cause?.message ?? ''}`
}

new TransportError('ERR_IO', 'a host makes one', { cause: 1, endpoint: undefined } satisfies TransportErrorDetails)
// @ts-expect-error no such code
new TransportError('EIO', 'a code of the system')

// @ts-expect-error a code never changes
error.code = 'ERR_IO'
