export {
  otelMetrics,
  type OtelInstrumentOptions,
  type OtelMeter,
  type OtelMetricsOptions,
  type OtelObservableResult,
} from './otel-metrics.js'
export { otelSpans, type OtelAttributes, type OtelSpan, type OtelSpansOptions, type OtelTracer } from './otel-spans.js'
export {
  promMetrics,
  type PromClient,
  type PromCounter,
  type PromEngineOptions,
  type PromGauge,
  type PromHistogram,
  type PromMetrics,
  type PromOptions,
  type PromRegistry,
} from './prom.js'
export type { ObservedEngine } from './engine-source.js'
export type { Labels as MetricLabels } from './metric.js'
export { serveStats, type ServeStatsOptions, type StatsAnswer, type StatsServer } from './serve-stats.js'
