/** What hosts import: the name behind the package's, and the module that it is compiled from. */
const entries = {
  index: 'api/index',
  adapters: 'api/adapters/index',
  metrics: 'api/metrics/index',
  'bridge-nats': 'api/bridge-nats/index',
  worker: 'workers/entry',
}

/** Compiled modules with that ending, by name. */
export function compiledEntries(ending) {
  return Object.fromEntries(Object.entries(entries).map(([name, module]) => [name, `dist/${module}${ending}`]))
}
