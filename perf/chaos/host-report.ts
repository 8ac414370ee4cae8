/** What the host reports to the campaign. */
import type { FrameCounts } from './frame-book.js'
import type { TargetName } from './plan.js'

export interface HostConfig {
  readonly seed: number
  readonly faults: number
  readonly targets: readonly TargetName[]
  readonly folder: string
  /** How long one fault may take, in milliseconds. */
  readonly watchdogMs: number
}

export interface FaultCounts extends FrameCounts {
  readonly losses: number
  /** Reconnecting connections that ended with an error that no retry can mend, and were replaced. */
  readonly connectionsReplaced: number
}

export interface HostReport {
  /** By the engine's own ledger. */
  readonly leaked: number
  readonly counts: FaultCounts
  /** Which outcomes of frames are wrong, in words. */
  readonly complaints: readonly string[]
  /** Over pools. */
  readonly answered: number
  /** Over pools: questions that ended with an error, which is allowed. */
  readonly failedQuestions: number
  /** Bytes since a fifth of the faults had happened, including what the allocator keeps. */
  readonly residentGrowth: number
  /** Heap and buffers. */
  readonly ownGrowth: number
}

export type FromHost =
  /** It is about to happen. */
  | { readonly kind: 'striking'; readonly index: number; readonly label: string }
  /** It is over: the frames of every connection go through again, and nothing is left over. */
  | {
      readonly kind: 'fault'
      readonly index: number
      readonly label: string
      readonly target: TargetName
      readonly ms: number
      readonly counts: FaultCounts
    }
  | { readonly kind: 'report'; readonly report: HostReport }
  | { readonly kind: 'failed'; readonly message: string; readonly step: string; readonly state: string }
