/** What a host sees of a bridge, and the life that all bridges have in common. */
import process from 'node:process'
import { graceMs as graces, LONGEST_TIMER_MS } from '../../engine/common/call-options.js'
import { integerCheck } from '../../engine/common/option-checks.js'
import { readOptions } from '../../engine/common/option-problems.js'
import { TransportError, type TransportErrorCode } from '../../engine/protocol/errors.js'
import type { Listener } from '../index.js'

export interface BridgeCloseOptions {
  /** How long to wait for what is on its way, in milliseconds. Default 1,000. */
  readonly graceMs?: number | undefined
}

export interface BridgeClosed {
  /** 'OK' after `close()`, otherwise the code of what ended the bridge. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause?: Error | undefined
}

/** A bridge between local endpoints and NATS. An open one keeps the process alive. */
export interface Bridge<Stats> extends AsyncDisposable {
  readonly subject: string
  /** The local endpoint as text. */
  readonly endpoint: string
  /** Settles once, never rejects: why the bridge ended. */
  readonly closed: Promise<BridgeClosed>
  /** A snapshot, synchronous and cheap. */
  stats(): Stats
  /**
   * Takes nothing new. Waits at most `graceMs` until what was taken is handed over, and ends its connections; idle
   * ones cost no time. Closes the connection to NATS if the bridge has made it. Rejects with ERR_INVALID_OPTION, and
   * has then closed nothing.
   */
  close(options?: BridgeCloseOptions): Promise<BridgeClosed>
}

export interface BridgeParts<Stats> {
  readonly subject: string
  readonly endpoint: string
  stats(): Stats
  /** Ends all that the bridge has opened. Called once. */
  end(graceMs: number): Promise<void>
}

/** What made the bridge can end it too. */
export interface MadeBridge<Stats> {
  readonly bridge: Bridge<Stats>
  readonly fail: (error: TransportError) => void
}

type Life = { readonly kind: 'open' } | { readonly kind: 'closing'; readonly closed: BridgeClosed }

export function makeBridge<Stats>(parts: BridgeParts<Stats>): MadeBridge<Stats> {
  let life: Life = { kind: 'open' }
  let settle: (closed: BridgeClosed) => void = () => undefined
  const closed = new Promise<BridgeClosed>((resolve) => (settle = resolve))
  const end = (graceMs: number, ending: BridgeClosed): Promise<BridgeClosed> => {
    if (life.kind === 'open') {
      life = { kind: 'closing', closed: ending }
      parts
        .end(graceMs)
        .catch((error: unknown) => process.emitWarning(error as Error))
        .finally(() => settle(ending))
    }
    return closed
  }
  const close = async (options: BridgeCloseOptions = {}): Promise<BridgeClosed> => {
    const checks = { graceMs: integerCheck(0, LONGEST_TIMER_MS, ' milliseconds') }
    const { graceMs = graces.engine } = readOptions<BridgeCloseOptions>(options, checks, 'close()')
    return end(graceMs, { code: 'OK' })
  }
  const bridge = {
    subject: parts.subject,
    endpoint: parts.endpoint,
    closed,
    stats: () => parts.stats(),
    close,
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
  return { bridge, fail: (error) => void end(0, { code: error.code, cause: error }) }
}

/**
 * One that listens at a local endpoint: it takes nothing new before the rest ends, and it ends with its listener, also
 * where that was closed together with its engine.
 */
export function makeListeningBridge<Stats>(
  listener: Listener,
  parts: Omit<BridgeParts<Stats>, 'endpoint'>,
): MadeBridge<Stats> {
  const made = makeBridge({
    subject: parts.subject,
    endpoint: listener.endpoint,
    stats: () => parts.stats(),
    async end(graceMs) {
      await listener.close()
      await parts.end(graceMs)
    },
  })
  void listener.closed.then(({ code, cause }) => {
    const message = 'the local listener of the bridge has ended.'
    made.fail(new TransportError(code === 'OK' ? 'ERR_CLOSED' : code, message, { cause }))
  })
  return made
}
