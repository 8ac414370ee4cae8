/**
 * Memory whose size a peer or a frame decides. The system may have none left, or no addresses for it (`ulimit -v`, a
 * container's limit): that is an error with a code, which ends what the memory was for and nothing else.
 */
import { TransportError } from './errors.js'

/** Memory of its own. @throws {TransportError} ERR_OUT_OF_MEMORY */
export function takeMemory(bytes: number): Buffer<ArrayBuffer> {
  try {
    return Buffer.allocUnsafeSlow(bytes)
  } catch (cause) {
    throw outOfMemory(bytes, cause)
  }
}

/** Memory that is not kept for long: small pieces share a pool. @throws {TransportError} ERR_OUT_OF_MEMORY */
export function takePooledMemory(bytes: number): Buffer<ArrayBuffer> {
  try {
    return Buffer.allocUnsafe(bytes)
  } catch (cause) {
    throw outOfMemory(bytes, cause)
  }
}

/** Memory that both threads may see, zeroed. @throws {TransportError} ERR_OUT_OF_MEMORY */
export function takeSharedMemory(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes)
  } catch (cause) {
    throw outOfMemory(bytes, cause)
  }
}

export function isOutOfMemory(error: unknown): error is TransportError {
  return error instanceof TransportError && error.code === 'ERR_OUT_OF_MEMORY'
}

/** The error that says so, if that is what was thrown: a RangeError where memory was asked for means nothing else. */
export function memoryFailure(error: unknown, endpoint?: string): TransportError | undefined {
  if (isOutOfMemory(error)) return new TransportError(error.code, error.message, { cause: error.cause, endpoint })
  return error instanceof RangeError ? outOfMemory(undefined, error, endpoint) : undefined
}

/** `bytes`: how many were wanted, where that is known. */
export function outOfMemory(bytes: number | undefined, cause: unknown, endpoint?: string): TransportError {
  const wanted = bytes === undefined ? 'what had to be kept' : `${String(bytes)} bytes`
  return new TransportError(
    'ERR_OUT_OF_MEMORY',
    `there was no memory for ${wanted}. Allow this process more (ulimit -v, the limit of its container), or lower maxFrameBytes and the number of connections.`,
    { cause, endpoint },
  )
}
