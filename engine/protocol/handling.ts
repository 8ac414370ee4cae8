/** What main and a shard tell each other about a handler module, which serves a listener or a dialled connection. */
import type { HandlerPlace } from './handler-place.js'
import type { MessagePort } from 'node:worker_threads'
import type { SerializedError } from './errors.js'
import type { FramingSpec } from './framing.js'

/** How the shard is to serve connections. */
export interface Handling {
  readonly moduleUrl: string
  /** The host's, cloned. */
  readonly data: unknown
  /** How long loading the module and its `setup()` may take together, in milliseconds. */
  readonly setupTimeoutMs: number
  /** How long its `teardown()` may take, in milliseconds. */
  readonly teardownTimeoutMs: number
  readonly kind: string
  readonly endpoint: string
  readonly connection: HandledConnectionSettings
  /** Undefined: there is none. */
  readonly handshake: HandledHandshake | undefined
  readonly ports: HandlerPorts
}

/** What comes before a connection. */
export interface HandledHandshake {
  /** Whether this side shares memory. */
  readonly memory: 'socket' | 'shared'
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number
  /** How many may be under way on one shard. */
  readonly most: number
}

/** The shard's ends: it calls main's functions by the first, and offers its own on the second. */
export interface HandlerPorts {
  readonly host: MessagePort
  readonly api: MessagePort
}

/** What its connections are made with. */
export interface HandledConnectionSettings {
  readonly framing: FramingSpec
  readonly maxFrameBytes: number
  readonly maxPendingBytes: number
  readonly maxRingBytes: number
  readonly initialRingBytes: number
  readonly frameTimeoutMs: number | undefined
  readonly closeTimeoutMs: number
  readonly allowHalfOpen: boolean
}

/** How the connections of a handler module are to end. */
export type HandlerEnd =
  /** By themselves. */
  | { readonly how: 'drain' }
  /** Gracefully: at once, or each as soon as its handler is done with what has come. */
  | { readonly how: 'close'; readonly when: 'now' | 'settled' }
  | { readonly how: 'destroy'; readonly error: SerializedError }

/** What was thrown, as far as it can be told to another thread. */
export interface ThrownValue {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly code: string | undefined
}

export interface HandlerFailureReport {
  readonly where: HandlerPlace
  readonly message: string
  readonly connection: string | undefined
  readonly thrown: ThrownValue
}

export type HandlerLogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface HandlerLogLine {
  readonly level: HandlerLogLevel
  readonly message: string
  /** Undefined: there are none, or they cannot be cloned. */
  readonly details: unknown
  /** Epoch milliseconds. */
  readonly at: number
}

/** What has happened on one shard since the last report, in the order in which it happened within each list. */
export interface HandlerReport {
  readonly opened: readonly string[]
  readonly closed: readonly { readonly id: string; readonly error: SerializedError | undefined }[]
  /** Connections that were cut at once. */
  readonly refused: number
  readonly failures: readonly HandlerFailureReport[]
  readonly logs: readonly HandlerLogLine[]
  /** Failures and lines that were left out, because main did not take up the reports before. */
  readonly omitted: number
}
