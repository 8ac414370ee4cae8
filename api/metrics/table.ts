/** All metrics. Both adapters read this table, and docs/metrics.md and the dashboard are compared with it. */
import { engineMetrics } from './engine-metrics.js'
import { eventMetrics } from './event-metrics.js'
import type { Metric } from './metric.js'
import { shardMetrics } from './shard-metrics.js'

export const metrics: readonly Metric[] = [...engineMetrics, ...shardMetrics, ...eventMetrics]
