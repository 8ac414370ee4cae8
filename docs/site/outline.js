/** The pages of the site: what stands in its navigation, in this order. Each Markdown page of the repository is in one part. */
export const outline = {
  'Use it': [
    'docs/endpoints.md',
    'docs/connections.md',
    'docs/handlers.md',
    'docs/pools.md',
    'docs/reconnecting.md',
    'docs/children.md',
    'docs/own-stdio.md',
    'docs/adapters.md',
    'docs/migrating-from-node-ipc.md',
    'docs/shutdown.md',
    'docs/systemd.md',
    'docs/runtimes.md',
    'docs/failures.md',
    'docs/bundling.md',
  ],
  'Look up': ['docs/options.md', 'docs/errors.md', 'docs/wire.md', 'docs/glossary.md', 'SECURITY.md', 'CHANGELOG.md'],
  'Run it': ['docs/observability.md', 'docs/metrics.md', 'docs/reliability.md', 'docs/tuning.md'],
  'How fast': ['docs/speed.md', 'docs/measurements.md', 'docs/compare.md', 'docs/chaos.md'],
  'How it works': ['docs/architecture.md', 'docs/lifecycle.md', 'docs/decisions/README.md', 'CONTRIBUTING.md'],
}
