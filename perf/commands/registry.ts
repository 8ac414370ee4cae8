/** Every scenario of `npm run perf`, in the order of the help. */
import { isRepository } from '../options/program.js'
import { accepts } from './accepts-command.js'
import { bridge } from './bridge-command.js'
import { busyMain } from './busy-main-command.js'
import { fanIn } from './fan-in-command.js'
import { flood } from './flood-command.js'
import { handlers } from './handlers-command.js'
import { http } from './http-command.js'
import { latency } from './latency-command.js'
import { memory } from './memory-command.js'
import { openLoop } from './open-loop-command.js'
import { pool } from './pool-command.js'
import type { Scenario } from './scenario.js'
import { shards } from './shards-command.js'
import { throughput } from './throughput-command.js'
import { trace } from './trace-command.js'
import { tune } from './tune-command.js'

const measuring: readonly Scenario[] = [
  latency,
  openLoop,
  throughput,
  trace,
  fanIn,
  shards,
  busyMain,
  handlers,
  http,
  accepts,
  flood,
  memory,
  pool,
  tune,
  bridge,
]

export const scenarios: readonly Scenario[] = isRepository
  ? (await import('./of-repository.js')).withRepository(measuring)
  : measuring
