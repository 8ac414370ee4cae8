import { availableParallelism } from 'node:os'
import { DEFAULT_CONNECTIONS } from '../flags.js'
import { calibrate } from '../harness/work.js'
import { handlersTable } from '../report/handlers-table.js'
import { latencyTable } from '../report/latency-table.js'
import { runHandlerRequests, type WorkPlan } from '../scenarios/handler-requests.js'
import { ROUND_TRIP_BYTES, runHandlerRoundTrips } from '../scenarios/handler-round-trips.js'
import { allRight, contest, type RunScenario } from './command.js'

const ROUND_TRIPS = 10_000
/** A round takes about a second on one CPU. */
const ROUND_MICROS = 1_000_000
const MICROS_BESIDE_WORK = 50

export const handlers: RunScenario<'handlers'> = async (flags, folder) => {
  const { shards = [...new Set([1, availableParallelism()])], work = [0, 50, 500], ...rest } = flags
  const { connections = DEFAULT_CONNECTIONS } = rest
  const settings = contest(folder, rest)
  const lapsPerMicro = calibrate()
  const count = flags.count ?? ROUND_TRIPS
  const roundTrips = await runHandlerRoundTrips('all', { ...settings, count, warmUp: count })
  console.log(latencyTable(ROUND_TRIP_BYTES, 0, roundTrips))
  const works = work.map((micros): WorkPlan => {
    const requests = flags.count ?? Math.max(connections, Math.floor(ROUND_MICROS / (MICROS_BESIDE_WORK + micros)))
    return { micros, laps: Math.round(micros * lapsPerMicro), count: requests, warmUp: Math.ceil(requests / 4) }
  })
  const reports = await runHandlerRequests({ ...settings, connections, shards, works })
  for (const report of reports) console.log(handlersTable(report))
  const all = [roundTrips, ...reports]
  return { right: all.every(({ released, rows }) => released && allRight(rows)), reports: all }
}
