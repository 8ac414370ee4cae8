/** What can end one side of a connection, or both, as the errors that say so. */
import { TransportError } from '../protocol/errors.js'
import { describeExcess, describeFault, framingFaults, type Excess, type FramingSpec } from '../protocol/framing.js'
import { isOutOfMemory } from '../protocol/allocation.js'
import { failureCalls } from '../protocol/ring-layout.js'
import { systemErrorOf } from '../protocol/system-errno.js'
import type { ConnectionIdentity } from './connection-lane.js'
import type { StreamEnd } from './frame-reader.js'

export function truncated(endpoint: string): TransportError {
  return new TransportError(
    'ERR_TRUNCATED',
    'the stream ended in the middle of a frame. The peer died or does not speak this framing; connect again.',
    { endpoint },
  )
}

export function tooLarge(excess: Excess, framing: FramingSpec, endpoint: string): TransportError {
  return new TransportError('ERR_FRAME_TOO_LARGE', describeExcess(excess, framing), { endpoint })
}

/** What is wrong with a stream that ends like this; undefined: nothing. */
export function faultAtEnd(end: StreamEnd, framing: FramingSpec, endpoint: string): TransportError | undefined {
  switch (end.kind) {
    case 'whole':
      return undefined
    case 'cut-off':
      return truncated(endpoint)
    case 'too-large':
      return tooLarge(end.excess, framing, endpoint)
  }
}

export function frameTimeout(timeoutMs: number, endpoint: string): TransportError {
  return new TransportError(
    'ERR_FRAME_TIMEOUT',
    `a frame was not complete ${String(timeoutMs)} ms after its first byte (frameTimeoutMs). The peer hangs, or does not speak this framing; connect again.`,
    { endpoint },
  )
}

/** Any other error is a mistake of ours, and thrown on. */
export function noMemory(error: unknown, endpoint: string): TransportError {
  if (!isOutOfMemory(error)) throw error
  return new TransportError(error.code, error.message, { cause: error.cause, endpoint })
}

/** Why `send()` and `ready()` refuse. `error`: what ended the connection, if it has ended and that was no clean end. */
export function sendRefused(error: TransportError | undefined, endpoint: string): TransportError {
  const isTold = error !== undefined && error.code !== 'ERR_CLOSED'
  const message = isTold
    ? 'the connection is closed. Connect again; `closed` says why it ended.'
    : 'the connection is closed or ending: no more frames can be sent.'
  return new TransportError('ERR_CLOSED', message, { cause: isTold ? error : undefined, endpoint })
}

export function peerStoppedReading(endpoint: string): TransportError {
  return new TransportError(
    'ERR_RESET',
    'the peer does not read any more: what was sent and had not left is lost. What it says can still be read.',
    { endpoint },
  )
}

export function peerCut(cause: Error | undefined, endpoint: string): TransportError {
  return new TransportError('ERR_RESET', 'the peer cut the connection. Connect again.', { cause, endpoint })
}

function brokenMemory(endpoint: string): TransportError {
  return new TransportError(
    'ERR_FRAMING',
    'the peer wrote positions into the memory that it shares which cannot be. It is at fault, or runs another version of this package; connect again.',
    { endpoint },
  )
}

export function closeTimeout(timeoutMs: number, what: string, endpoint: string): TransportError {
  return new TransportError(
    'ERR_TIMEOUT',
    `close() waited ${String(timeoutMs)} ms (closeTimeoutMs) for ${what}. The rest was cut.`,
    { endpoint },
  )
}

/** What a lane's failure words say: a positive system errno and the call that failed, or a fault in the framing. */
export function laneFailure(
  failure: number,
  call: number,
  framing: FramingSpec,
  { endpoint, memory }: Pick<ConnectionIdentity, 'endpoint' | 'memory'>,
): TransportError {
  const fault = framingFaults[-1 - failure]
  if (fault === 'ERR_FRAMING' && memory === 'shared') return brokenMemory(endpoint)
  if (fault !== undefined) return new TransportError(fault, describeFault(fault, framing), { endpoint })
  const cause = systemErrorOf(-failure, failureCalls[call] ?? 'unknown')
  if (cause.code === 'ECONNRESET' || cause.code === 'EPIPE') return peerCut(cause, endpoint)
  return new TransportError('ERR_IO', `the connection failed: ${cause.message}. Connect again.`, { cause, endpoint })
}
