/** Options of bridges that carry connections, declared once: default, unit, range. */
import type { Transport } from '../transport.js'
import { LONGEST_TIMER_MS } from '../../engine/common/call-options.js'
import { isObject } from '../../engine/common/describe.js'
import { functionCheck, integerCheck } from '../../engine/common/option-checks.js'
import { Problems, readOptions, type Checks } from '../../engine/common/option-problems.js'
import type { TransportError } from '../../engine/protocol/errors.js'
import { isNatsConnection, type NatsInput } from './nats-input.js'
import type { ConnectionReport } from './reports.js'
import { isSubject, SUBJECT_RULE } from './subject.js'

/** Options that every bridge has. */
export interface CommonBridgeOptions {
  /**
   * A connection of `@nats-io/transport-node`, which stays yours to close; or options for its `connect()`: servers,
   * credentials, TLS and all else is the client's. A bridge that connects by itself does so with
   * `maxReconnectAttempts: -1`, `reconnectTimeWait: 250` and `pingInterval: 10_000`, unless you say otherwise.
   */
  readonly nats: NatsInput
  /** The local side. Give it `allowHalfOpen: true`, so that each direction can end separately. */
  readonly transport: Transport
  /** Words of letters, digits, `-` and `_`, separated by dots; at most 200 characters. No wildcards. */
  readonly subject: string
  /** Called with what goes wrong and ends no bridge: what the server refuses, a message that no bridge has sent. */
  readonly onError?: ((error: TransportError) => void) | undefined
}

/** Options of `listenOverNats()` and `dialOverNats()`. */
export interface BridgeOptions extends CommonBridgeOptions {
  /**
   * How many bytes of one connection may be on their way in one direction, 1,024 to 2^30: the smaller of both bridges'
   * counts. The frame that goes over it is taken whole. Default 1 MiB.
   */
  readonly windowBytes?: number | undefined
  /** The same in frames, 1 to 1,048,576. Default 4,096. */
  readonly windowFrames?: number | undefined
  /** Largest frame accepted from the other bridge, in bytes, 1 to 2^30. Default 16 MiB. */
  readonly maxFrameBytes?: number | undefined
  /** Connections carried at once, 1 to 1,048,576; one more is refused. Default 1,024. */
  readonly maxConnections?: number | undefined
  /** How long a connection may take until the other bridge has answered, in milliseconds. Default 10,000. */
  readonly openTimeoutMs?: number | undefined
  /**
   * Silence of the other bridge, while NATS is there, after which its connections end, in milliseconds. Default 20,000.
   */
  readonly peerTimeoutMs?: number | undefined
  /** How long connections outlive the loss of NATS, in milliseconds. Default 60,000. */
  readonly outageMs?: number | undefined
  /** Called for each connection that has not ended cleanly, or of which frames may be missing. */
  readonly onLoss?: ((report: ConnectionReport) => void) | undefined
}

export const bridgeDefaults = {
  windowBytes: 1_048_576,
  windowFrames: 4_096,
  maxFrameBytes: 16_777_216,
  maxConnections: 1_024,
  openTimeoutMs: 10_000,
  peerTimeoutMs: 20_000,
  outageMs: 60_000,
} as const

export type BridgeSettings = Omit<BridgeOptions, keyof typeof bridgeDefaults> & {
  readonly [Name in keyof typeof bridgeDefaults]: number
}

const timeCheck = integerCheck(1, LONGEST_TIMER_MS, ' milliseconds')

export const commonChecks = {
  nats: (value: unknown) =>
    isNatsConnection(value) || isObject(value)
      ? undefined
      : 'a connection of @nats-io/transport-node, or options for its connect()',
  transport: (value: unknown) =>
    isObject(value) && typeof value['listen'] === 'function' && typeof value['connect'] === 'function'
      ? undefined
      : 'what engine.transport() has returned',
  subject: (value: unknown) => (isSubject(value) ? undefined : SUBJECT_RULE),
  onError: functionCheck,
} satisfies Checks

export const bridgeChecks = {
  ...commonChecks,
  windowBytes: integerCheck(1_024, 2 ** 30, ' bytes'),
  windowFrames: integerCheck(1, 1_048_576),
  maxFrameBytes: integerCheck(1, 2 ** 30, ' bytes'),
  maxConnections: integerCheck(1, 1_048_576),
  openTimeoutMs: timeCheck,
  peerTimeoutMs: timeCheck,
  outageMs: timeCheck,
  onLoss: functionCheck,
} satisfies Checks

/** @throws {TransportError} ERR_INVALID_OPTION */
export function readBridgeOptions(options: unknown, where: string): BridgeSettings {
  return readWithDefaults<BridgeOptions, Record<keyof typeof bridgeDefaults, number>>(
    options,
    bridgeChecks,
    bridgeDefaults,
    where,
  )
}

/** What was given, and defaults for the rest. Without a default, an option of all bridges has to be there. */
export function readWithDefaults<Options extends CommonBridgeOptions, Defaults extends object>(
  options: unknown,
  checked: typeof commonChecks & Checks & Readonly<Record<keyof Options, unknown>>,
  defaults: Defaults,
  where: string,
): Omit<Options, keyof Defaults> & Defaults {
  const given = readOptions<Options>(options, checked, where)
  const problems = new Problems()
  for (const name of ['nats', 'transport', 'subject'] as const) {
    if ((given[name] as unknown) === undefined) problems.wrong(name, checked[name](undefined) ?? '', 'undefined')
  }
  if (!problems.isEmpty) throw problems.toError(where)
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { ...defaults, ...set } as Omit<Options, keyof Defaults> & Defaults
}
