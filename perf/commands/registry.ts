/** Every scenario of `npm run perf`, in the order of the help. */
import { accepts } from './accepts-command.js'
import { chaos } from './chaos-command.js'
import { churn } from './churn-command.js'
import { compare } from './compare-command.js'
import { diff } from './diff-command.js'
import { flood } from './flood-command.js'
import { handlers } from './handlers-command.js'
import { http } from './http-command.js'
import { idle } from './idle-command.js'
import { latency } from './latency-command.js'
import { pool } from './pool-command.js'
import { requests } from './requests-command.js'
import { reportOn } from './report-command.js'
import type { Scenario } from './scenario.js'
import { throughput } from './throughput-command.js'
import { trace } from './trace-command.js'

const measuring: readonly Scenario[] = [
  latency,
  throughput,
  trace,
  requests,
  handlers,
  http,
  accepts,
  flood,
  churn,
  idle,
  pool,
  compare,
  chaos,
]

export const scenarios: readonly Scenario[] = [...measuring, reportOn(measuring), diff]
