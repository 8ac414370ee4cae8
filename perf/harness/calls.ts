/** The messages between the runner, the accepting program and the calling program. */
export interface AcceptorConfig {
  readonly stack: 'engine' | 'net'
  readonly path: string
  readonly shards: number | undefined
  /** The URL of the engine's `api/index.js`. Default: this tree's. */
  readonly engine?: string | undefined
}

export type AcceptorOrder =
  /** Resets the counts, and expects `count` connections. */
  { readonly kind: 'watch'; readonly count: number } | { readonly kind: 'report' }

export interface AcceptorReport {
  readonly kind: 'report'
  readonly accepted: number
  /** How many different calls arrived, and how often a call arrived again. */
  readonly calls: number
  readonly twice: number
  /** When the last one was accepted: CLOCK_MONOTONIC, the same for every process of the machine. */
  readonly lastNs: string
}

export interface CallerOrder {
  readonly count: number
  /** Connections under way at a time. */
  readonly atOnce: number
  /** Says one frame and waits for the answer, or leaves as soon as it is connected. */
  readonly speaks: boolean
}

export interface CallerReport {
  readonly kind: 'called'
  readonly answered: number
  readonly wrong: number
  /** How often the backlog was full; each was tried again. */
  readonly full: number
  readonly startedNs: string
  readonly endedNs: string
}

/** A call is a frame of the default framing: four bytes of length, four bytes of the caller's number. */
export const CALL_BYTES = 8
export const CALL_ID_AT = 4
