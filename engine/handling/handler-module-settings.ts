import type { OnHandlerLog } from '../common/handler-log.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { HandledConnectionSettings } from '../protocol/handling.js'

/** A handler module, and how long it may take. */
export interface HandlerModuleSettings {
  readonly moduleUrl: string
  /** A clone of the host's, of which each shard gets a copy. */
  readonly data: unknown
  readonly setupTimeoutMs: number
  readonly teardownTimeoutMs: number
  readonly onLog: OnHandlerLog | undefined
  /** What the module can call. */
  readonly host: object
}

/** What of a connection's settings goes to another thread. */
export function handledSettings(settings: ConnectionSettings, initialRingBytes: number): HandledConnectionSettings {
  const { framing, maxFrameBytes, maxPendingBytes, maxRingBytes, frameTimeoutMs, closeTimeoutMs, allowHalfOpen } =
    settings
  const limits = { maxFrameBytes, maxPendingBytes, maxRingBytes, frameTimeoutMs, closeTimeoutMs }
  return { framing, ...limits, allowHalfOpen, initialRingBytes }
}
