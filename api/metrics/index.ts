export { otelMetrics, type OtelMeter, type OtelMetricsOptions } from './otel-metrics.js'
export { otelSpans, type OtelSpan, type OtelSpansOptions, type OtelTracer } from './otel-spans.js'
export { promMetrics, type PromClient, type PromEngineOptions, type PromMetrics, type PromOptions } from './prom.js'
export type { ObservedEngine } from './engine-source.js'
