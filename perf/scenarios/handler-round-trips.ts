/** Round trips to a server that handles frames on main, to one that does so in a shard, and to plain `net`. */
import type { ContenderConfig, ContenderSettings } from '../harness/contender.js'
import { compareRoundTrips, type LatencyReport } from './latency.js'

export const ROUND_TRIP_BYTES = 64

const netToNet: ContenderConfig = { name: 'net to net', near: 'net', far: 'net', corkFrames: 1 }

const engineToModule: ContenderConfig = {
  name: 'engine to handler module',
  near: 'engine',
  far: 'engine-module',
  corkFrames: 1,
}

/** What each end costs, and both. */
const everyPair: readonly ContenderConfig[] = [
  netToNet,
  { name: 'net to main handler', near: 'net', far: 'engine', corkFrames: 1 },
  { name: 'net to handler module', near: 'net', far: 'engine-module', corkFrames: 1 },
  { name: 'engine to net', near: 'engine', far: 'net', corkFrames: 1 },
  { name: 'engine to main handler', near: 'engine', far: 'engine', corkFrames: 1 },
  engineToModule,
]

export interface HandlerRoundTripsPlan extends Omit<ContenderSettings, 'connections' | 'shards'> {
  readonly rounds: number
  /** Round trips a round. */
  readonly count: number
  readonly warmUp: number
}

export function runHandlerRoundTrips(which: 'all' | 'module', plan: HandlerRoundTripsPlan): Promise<LatencyReport> {
  const pairs = which === 'all' ? everyPair : [netToNet, engineToModule]
  return compareRoundTrips(pairs, { ...plan, connections: 1, shards: 1, bytes: ROUND_TRIP_BYTES })
}
