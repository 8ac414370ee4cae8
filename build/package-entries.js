/** What hosts import: the name behind the package's, and the module that it is compiled from. */
import fs from 'node:fs'

const entries = {
  index: 'api/index',
  adapters: 'api/adapters/index',
  metrics: 'api/metrics/index',
  'bridge-nats': 'api/bridge-nats/index',
  worker: 'workers/entry',
}

/** Compiled modules with that ending, by name. */
export function compiledEntries(ending) {
  const there = Object.entries(entries).filter(([, module]) => fs.existsSync(`${module}.ts`))
  return Object.fromEntries(there.map(([name, module]) => [name, `dist/${module}${ending}`]))
}
