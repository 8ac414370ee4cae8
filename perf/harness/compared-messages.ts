/** Between the runner and both sides of a compared peer. They go over a socket of their own, in lines of JSON. */
import type { ResidentMemory } from './resident-memory.js'

export type Purpose = 'ask' | 'pour'

/** The argument of perf/programs/compared.ts. */
export interface ComparedConfig {
  readonly role: 'near' | 'far'
  readonly purpose: Purpose
  /** Where the runner listens for both sides. */
  readonly control: string
  /** Where the near side meets the far side. */
  readonly path: string
  /** The peer's file, as a URL. */
  readonly module: string
  readonly variant: string | undefined
}

export type ComparedOrder =
  /** So many more connections of the near side; of those that ask each is asked once. */
  | { readonly kind: 'connect'; readonly count: number }
  /** Requests in a closed loop on each connection, so many of all together. */
  | { readonly kind: 'ask'; readonly bytes: number; readonly count: number }
  | { readonly kind: 'pour'; readonly bytes: number; readonly count: number }
  /** The far side expects so many messages. */
  | { readonly kind: 'take'; readonly bytes: number; readonly count: number }
  | { readonly kind: 'memory' }
  | { readonly kind: 'stop' }

export interface Asked {
  readonly kind: 'asked'
  readonly seconds: number
  readonly count: number
  /** Answers that are not what was asked. */
  readonly wrong: number
  /** How long they took, as `Distribution` encodes it. */
  readonly distribution: string
}

export interface Poured {
  readonly kind: 'poured'
  /** CLOCK_MONOTONIC, the same for every process of the machine. */
  readonly startedNs: string
}

export interface Taken {
  readonly kind: 'taken'
  readonly endedNs: string
  readonly messages: number
  /** Those that are not what was sent, or not in their turn. */
  readonly wrong: number
}

export type FromCompared =
  /** The first that a side says: what the system calls its thread. */
  | { readonly kind: 'here'; readonly role: 'near' | 'far'; readonly pid: number; readonly tid: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'connected'; readonly fallback: string | undefined }
  | { readonly kind: 'armed' }
  | Asked
  | Poured
  | Taken
  | ({ readonly kind: 'memory' } & ResidentMemory)
  | { readonly kind: 'stopped'; readonly released: boolean }
  | { readonly kind: 'failed'; readonly message: string }
