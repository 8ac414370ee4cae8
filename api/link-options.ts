/** What a connection is made with, out of the options of its transport and its engine. */
import type { LinkOptions } from '../engine/link/options.js'
import type { SalvageSettings } from '../engine/link/salvage.js'
import type { Clock } from '../engine/shared/waiter.js'
import type { ResolvedTransportOptions } from './options.js'

export function linkOptions(
  options: ResolvedTransportOptions,
  maxRingBytes: number,
  clock: Clock,
  salvage: SalvageSettings | undefined,
): LinkOptions {
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
    maxRingBytes,
    frameTimeoutMs: options.frameTimeoutMs,
    closeTimeoutMs: options.closeTimeoutMs,
    allowHalfOpen: options.allowHalfOpen,
    clock,
    salvage,
  }
}
