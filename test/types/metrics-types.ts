/** What the compiler knows of the adapters for metrics, with the real packages. It is compiled, and never run. */
import { metrics, trace } from '@opentelemetry/api'
import { expectTypeOf } from 'expect-type'
import client from 'prom-client'
import type { Engine } from 'symphony-transport'
import {
  otelMetrics,
  otelSpans,
  promMetrics,
  type MetricLabels,
  type ObservedEngine,
  type OtelAttributes,
  type OtelInstrumentOptions,
  type OtelMeter,
  type OtelMetricsOptions,
  type OtelObservableResult,
  type OtelSpan,
  type OtelSpansOptions,
  type OtelTracer,
  type PromClient,
  type PromCounter,
  type PromEngineOptions,
  type PromGauge,
  type PromHistogram,
  type PromMetrics,
  type PromOptions,
  type PromRegistry,
} from 'symphony-transport/metrics'

declare const engine: Engine

expectTypeOf<Engine>().toExtend<ObservedEngine>()

// prom-client.
const prom = promMetrics(engine, { client })
expectTypeOf(prom).toEqualTypeOf<PromMetrics>()
expectTypeOf(client).toExtend<PromClient>()
prom.add(engine, { name: 'second' })
promMetrics(engine, { client, registry: new client.Registry(), prefix: 'ipc', labels: { app: 'x' }, endpoints: true })
expectTypeOf<PromOptions>().toExtend<PromEngineOptions>()
expectTypeOf<PromOptions['labels']>().toEqualTypeOf<MetricLabels | undefined>()
expectTypeOf(new client.Registry()).toExtend<PromRegistry>()
expectTypeOf(new client.Counter({ name: 'x', help: 'x' })).toExtend<PromCounter>()
expectTypeOf(new client.Gauge({ name: 'y', help: 'y' })).toExtend<PromGauge>()
expectTypeOf(new client.Histogram({ name: 'z', help: 'z' })).toExtend<PromHistogram>()
// @ts-expect-error there is no metric without the package
promMetrics(engine, {})
// @ts-expect-error values of labels are strings
promMetrics(engine, { client, labels: { port: 1 } })

// OpenTelemetry.
const meter = metrics.getMeter('symphony-transport')
const tracer = trace.getTracer('symphony-transport')
expectTypeOf(meter).toExtend<OtelMeter>()
expectTypeOf(tracer).toExtend<OtelTracer>()
expectTypeOf<OtelInstrumentOptions['unit']>().toBeString()
expectTypeOf<OtelObservableResult['observe']>().toBeFunction()
expectTypeOf<OtelAttributes>().toEqualTypeOf<Record<string, string | number>>()
expectTypeOf(tracer.startSpan('x')).toExtend<OtelSpan>()
expectTypeOf(otelMetrics(engine, { meter })).toEqualTypeOf<{ stop(): void }>()
expectTypeOf(otelSpans(engine, { tracer, name: 'x' })).toEqualTypeOf<{ stop(): void }>()
expectTypeOf<OtelMetricsOptions['endpoints']>().toEqualTypeOf<boolean | undefined>()
expectTypeOf<OtelSpansOptions['prefix']>().toEqualTypeOf<string | undefined>()
// @ts-expect-error a tracer is no meter
otelMetrics(engine, { meter: tracer })
