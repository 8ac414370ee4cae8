/** The options that `tune` tries, and the messages between its runner and its programs. */
import type { EngineOptions, FramingKind } from '../../api/index.js'

export type Tuning = Pick<EngineOptions, 'shards' | 'wake' | 'inlineWrites' | 'initialRingBytes' | 'maxRingBytes'>

export const sweeps = ['shards', 'wake', 'inline', 'rings'] as const
export type Sweep = (typeof sweeps)[number]

export const objectives = ['latency', 'throughput', 'cpu'] as const
export type Objective = (typeof objectives)[number]

/** Of the program that asks and of the one that echoes. */
export interface TunedConfig {
  readonly endpoint: string
  readonly framing: FramingKind
  readonly options: Tuning
  /** Of the one that asks. */
  readonly connections: number
  readonly bytes: number
}

/** `depth`: frames under way on each connection, in a closed loop; with `rateHz` they are due at fixed times. */
export interface TunedOrder {
  readonly kind: 'measure'
  readonly seconds: number
  readonly depth: number
  readonly rateHz: number | undefined
}

export interface TunedResult {
  readonly kind: 'measured'
  readonly seconds: number
  readonly count: number
  readonly wrong: number
  /** As `Distribution` encodes it. */
  readonly distribution: string
  /** Of all threads that are the engine's or the host's. */
  readonly cpuMs: number
}

/** CPU of the process so far. */
export interface TunedCpu {
  readonly kind: 'cpu'
  readonly cpuMs: number
}

/** What a program uses until its end, milliseconds. */
export function cpuMsSoFar(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** A frame is known by its number, in letters, so that every framing can carry it. */
export function writeNumber(frame: Buffer, number: number): void {
  const width = Math.min(frame.length, 8)
  for (let i = 0; i < width; i++) frame[i] = 0x61 + ((number >>> (4 * i)) & 15)
}
