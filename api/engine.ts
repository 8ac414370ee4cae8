import { readGraceMs, graceMs } from '../engine/common/call-options.js'
import type { LedgerReport } from '../engine/common/ledger.js'
import { EngineCore, type FindNative } from '../engine/core/engine-core.js'
import type { EngineStats } from '../engine/core/engine-stats.js'
import { systemClock, type Clock } from '../engine/protocol/clock.js'
import { TransportError } from '../engine/protocol/errors.js'
import { assertRuntime } from '../engine/protocol/runtime.js'
import { resolveEndpoint, type Endpoint } from './endpoint.js'
import { parseEngineOptions, type CloseOptions, type EngineOptions } from './engine-options.js'
import { parseTransportOptions, type TransportOptions } from './transport-options.js'
import { createTransport, type Transport } from './transport.js'

/** What `createEngine()` resolves with: worker threads, and the connections, listeners and pools that they carry. */
export interface Engine extends AsyncDisposable {
  /** Tells it from other engines of this thread; the events that are about it have it as `engine`. */
  readonly id: string

  /**
   * An endpoint to connect to or to listen on. Nothing is opened yet, and the file system is not looked at.
   * @throws {TransportError} ERR_INVALID_ENDPOINT, ERR_PATH_TOO_LONG, ERR_UNSUPPORTED_PLATFORM, ERR_INVALID_OPTION
   */
  transport(endpoint: Endpoint, options?: TransportOptions): Transport

  /** A snapshot, synchronous and cheap. */
  stats(): EngineStats

  /** Forgets the hops that were traced so far: after a warm-up, say. Does nothing where hops are not traced. */
  resetHops(): void

  /**
   * Stops accepting, aborts pending connects, lets handlers that are at work finish and what was sent leave within
   * `graceMs`, cuts the rest, ends the threads. A handler is at work on what had come when this was called; one that
   * waits for its peer is not. One that never settles costs the whole of `graceMs`, and so does one that waits for this
   * itself. A child process is sent SIGTERM by then, and has its own `killAfterMs` from there on, which `graceMs` does
   * not bound. Resolves with what was opened and what was released. A thread that the system holds is waited for six
   * seconds at most: the ledger names it as not released. A second call returns the first one's promise. Rejects with
   * ERR_INVALID_OPTION, and has then closed nothing.
   */
  close(options?: CloseOptions): Promise<LedgerReport>
}

/**
 * Starts an engine. Rejects with ERR_INVALID_OPTION, ERR_SHARD_BOOT, or ERR_UNSUPPORTED_RUNTIME (in Bun), and has then
 * left nothing behind.
 */
export function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return startEngine(options, systemClock)
}

/** As `createEngine()`, with a clock that a test can move, and system calls that a test makes. */
export async function startEngine(options: EngineOptions, clock: Clock, findNative?: FindNative): Promise<Engine> {
  assertRuntime()
  const settings = parseEngineOptions(options)
  const core = new EngineCore(settings, clock, findNative)
  await core.booted
  const close = (given: CloseOptions = {}): Promise<LedgerReport> => {
    try {
      return core.close(() => readGraceMs(given, graceMs.engine))
    } catch (error) {
      if (error instanceof TransportError) return Promise.reject(error)
      throw error
    }
  }
  return {
    id: core.id,
    transport: (endpoint, given = {}) => {
      const resolved = resolveEndpoint(endpoint)
      return createTransport(core, resolved, parseTransportOptions(given, settings, resolved))
    },
    stats: () => core.stats(),
    resetHops: () => core.resetHops(),
    close,
    [Symbol.asyncDispose]: () => close().then(() => undefined),
  }
}
