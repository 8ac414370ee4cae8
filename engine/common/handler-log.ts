/** What handler modules log, as main passes it on. */
import type { HandlerLogLevel } from '../protocol/handling.js'

export interface HandlerLogEntry {
  /** `engine.id` of the engine that serves it. */
  readonly engine: string
  readonly level: HandlerLogLevel
  readonly message: string
  /** A clone of what was given; its kind as text, where it cannot be cloned. Undefined: nothing was. */
  readonly details: unknown
  /** When, in epoch milliseconds. */
  readonly at: number
  readonly endpoint: string
  readonly shard: number
  /** Which life of the shard, counted from 1. */
  readonly generation: number
}

export type OnHandlerLog = (entry: HandlerLogEntry) => unknown
