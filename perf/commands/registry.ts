/** Every scenario of `npm run perf`. One without a line here does not compile. */
import type { CommandOf, Scenario } from '../flags.js'
import { accepts } from './accepts-command.js'
import { chaos } from './chaos-command.js'
import { churn } from './churn-command.js'
import type { Outcome, RunScenario } from './command.js'
import { flood } from './flood-command.js'
import { handlers } from './handlers-command.js'
import { http } from './http-command.js'
import { idle } from './idle-command.js'
import { latency } from './latency-command.js'
import { pool } from './pool-command.js'
import { requests } from './requests-command.js'
import { throughput } from './throughput-command.js'

const registry: { readonly [Of in Scenario]: RunScenario<Of> } = {
  latency,
  throughput,
  flood,
  http,
  idle,
  churn,
  pool,
  accepts,
  requests,
  handlers,
  chaos,
}

export function runCommand<Of extends Scenario>({ scenario, flags }: CommandOf<Of>, folder: string): Promise<Outcome> {
  return registry[scenario](flags, folder)
}
