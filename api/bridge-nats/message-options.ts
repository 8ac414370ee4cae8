/** Options of bridges between frames and messages, declared once: default, unit, range. */
import { LONGEST_TIMER_MS } from '../../engine/common/call-options.js'
import { flagCheck, functionCheck, integerCheck } from '../../engine/common/option-checks.js'
import type { Checks } from '../../engine/common/option-problems.js'
import { commonChecks, readWithDefaults, type CommonBridgeOptions } from './bridge-options.js'
import type { PublishReport } from './message-reports.js'

/** Options of `publishToNats()`. */
export interface PublishOptions extends CommonBridgeOptions {
  /**
   * True: messages go into the stream of JetStream that takes the subject, and are published again until it has them.
   * False (default): messages go to whoever subscribes at that moment.
   */
  readonly jetstream?: boolean | undefined
  /** How many bytes of one connection may wait for the server's word, 1,024 to 2^30. Default 1 MiB. */
  readonly windowBytes?: number | undefined
  /** Connections at once, 1 to 1,048,576; one more is refused. Default 1,024. */
  readonly maxConnections?: number | undefined
  /**
   * With `jetstream`: how long a frame may be tried, in milliseconds; then its connection ends. It has to be less than
   * the stream's `duplicate_window`. Default 60,000.
   */
  readonly outageMs?: number | undefined
  /** Called for each connection that has not ended cleanly, or of which frames may be missing. */
  readonly onLoss?: ((report: PublishReport) => void) | undefined
}

/** Options of `subscribeToNats()`. */
export interface SubscribeOptions extends CommonBridgeOptions {
  /**
   * Name of a durable consumer of the stream that takes the subject; it is made if it is not there. A message is
   * acknowledged once a local connection was handed it, and what no connection took waits in the stream. Default: no
   * JetStream, and messages that come while nobody is connected are dropped.
   */
  readonly durable?: string | undefined
  /**
   * With `durable`: how long the server waits for word of a message before it gives it out again, in milliseconds, 100
   * to 3,600,000. The bridge sends word while it holds one. Default 5,000.
   */
  readonly ackWaitMs?: number | undefined
  /** Connections at once, 1 to 1,048,576; one more is refused. Default 1,024. */
  readonly maxConnections?: number | undefined
}

export const publishDefaults = { jetstream: false, windowBytes: 1_048_576, maxConnections: 1_024, outageMs: 60_000 }
export const subscribeDefaults = { ackWaitMs: 5_000, maxConnections: 1_024 }

export type PublishSettings = Omit<PublishOptions, keyof typeof publishDefaults> & typeof publishDefaults
export type SubscribeSettings = Omit<SubscribeOptions, keyof typeof subscribeDefaults> & typeof subscribeDefaults

export const publishChecks = {
  ...commonChecks,
  jetstream: flagCheck,
  windowBytes: integerCheck(1_024, 2 ** 30, ' bytes'),
  maxConnections: integerCheck(1, 1_048_576),
  outageMs: integerCheck(1, LONGEST_TIMER_MS, ' milliseconds'),
  onLoss: functionCheck,
} satisfies Checks

export const subscribeChecks = {
  ...commonChecks,
  durable: (value: unknown) =>
    typeof value === 'string' && /^[\w-]{1,32}$/.test(value)
      ? undefined
      : 'a name of at most 32 letters, digits, - and _',
  ackWaitMs: integerCheck(100, 3_600_000, ' milliseconds'),
  maxConnections: integerCheck(1, 1_048_576),
} satisfies Checks

/** @throws {TransportError} ERR_INVALID_OPTION */
export function readPublishOptions(options: unknown): PublishSettings {
  return readWithDefaults<PublishOptions, typeof publishDefaults>(
    options,
    publishChecks,
    publishDefaults,
    'publishToNats()',
  )
}

/** @throws {TransportError} ERR_INVALID_OPTION */
export function readSubscribeOptions(options: unknown): SubscribeSettings {
  return readWithDefaults<SubscribeOptions, typeof subscribeDefaults>(
    options,
    subscribeChecks,
    subscribeDefaults,
    'subscribeToNats()',
  )
}
