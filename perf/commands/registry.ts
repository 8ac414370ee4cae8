/** Every scenario of `npm run perf`. One without a line here does not compile. */
import type { CommandOf, Scenario } from '../flags.js'
import { accepts } from './accepts.js'
import { chaos } from './chaos.js'
import { churn } from './churn.js'
import type { Outcome, RunScenario } from './command.js'
import { flood } from './flood.js'
import { http } from './http.js'
import { idle } from './idle.js'
import { latency } from './latency.js'
import { pool } from './pool.js'
import { throughput } from './throughput.js'

const registry: { readonly [Of in Scenario]: RunScenario<Of> } = {
  latency,
  throughput,
  flood,
  http,
  idle,
  churn,
  pool,
  accepts,
  chaos,
}

export function runCommand<Of extends Scenario>({ scenario, flags }: CommandOf<Of>, folder: string): Promise<Outcome> {
  return registry[scenario](flags, folder)
}
