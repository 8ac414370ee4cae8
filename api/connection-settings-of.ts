/** What a connection is made with, out of the options of its transport and its engine. */
import type { ConnectionSettings } from '../engine/connection/connection-settings.js'
import type { DeliveryTracking } from '../engine/connection/delivery-tracker.js'
import type { HandlerFailures } from '../engine/common/handler-failures.js'
import type { Clock } from '../engine/protocol/clock.js'
import type { ResolvedTransportOptions } from './engine-options.js'

/** What all connections of an engine have in common. */
export interface ConnectionDefaults {
  readonly maxRingBytes: number
  readonly clock: Clock
  readonly failures: HandlerFailures
  readonly onOutlived: (done: Promise<void>) => void
}

export function connectionSettings(
  options: ResolvedTransportOptions,
  ground: ConnectionDefaults,
  tracking: DeliveryTracking | undefined,
): ConnectionSettings {
  return {
    framing: {
      kind: options.framing,
      maxFrameBytes: options.maxFrameBytes,
      maxHeaderBytes: options.maxHeaderBytes,
      lastLine: options.lastLine,
      frameTimeoutMs: options.frameTimeoutMs,
    },
    maxFrameBytes: options.maxFrameBytes,
    maxPendingBytes: options.maxPendingBytes,
    frameTimeoutMs: options.frameTimeoutMs,
    closeTimeoutMs: options.closeTimeoutMs,
    allowHalfOpen: options.allowHalfOpen,
    tracking,
    ...ground,
  }
}
