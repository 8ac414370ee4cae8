/** What the compiler knows of the adapters for metrics, with the real packages. It is compiled, and never run. */
import { metrics, trace } from '@opentelemetry/api'
import { expectTypeOf } from 'expect-type'
import client from 'prom-client'
import type { Engine } from 'symphony-transport'
import {
  otelMetrics,
  otelSpans,
  promMetrics,
  type ObservedEngine,
  type OtelMeter,
  type OtelMetricsOptions,
  type OtelSpan,
  type OtelSpansOptions,
  type OtelTracer,
  type PromClient,
  type PromEngineOptions,
  type PromMetrics,
  type PromOptions,
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
// @ts-expect-error there is no metric without the package
promMetrics(engine, {})
// @ts-expect-error values of labels are strings
promMetrics(engine, { client, labels: { port: 1 } })

// OpenTelemetry.
const meter = metrics.getMeter('symphony-transport')
const tracer = trace.getTracer('symphony-transport')
expectTypeOf(meter).toExtend<OtelMeter>()
expectTypeOf(tracer).toExtend<OtelTracer>()
expectTypeOf(tracer.startSpan('x')).toExtend<OtelSpan>()
expectTypeOf(otelMetrics(engine, { meter })).toEqualTypeOf<{ stop(): void }>()
expectTypeOf(otelSpans(engine, { tracer, name: 'x' })).toEqualTypeOf<{ stop(): void }>()
expectTypeOf<OtelMetricsOptions['endpoints']>().toEqualTypeOf<boolean | undefined>()
expectTypeOf<OtelSpansOptions['prefix']>().toEqualTypeOf<string | undefined>()
// @ts-expect-error a tracer is no meter
otelMetrics(engine, { meter: tracer })
