/**
 * The metrics of an engine as OpenTelemetry instruments. Its interfaces are written out here, as far as used, so that
 * `@opentelemetry/api` is not needed by hosts that do not use it.
 */
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { EngineSource, type ObservedEngine } from './engine-source.js'
import { otelName, type EventMetric, type HistogramMetric, type Labels, type StatsMetric } from './metric.js'
import { assertEngine, commonChecks, DEFAULT_PREFIX, has } from './options.js'
import { metrics } from './table.js'

export interface OtelInstrumentOptions {
  readonly description: string
  readonly unit: string
  readonly advice?: { explicitBucketBoundaries: number[] }
}

export interface OtelObservableResult {
  observe(instrument: object, value: number, attributes: Record<string, string>): void
}

/** A meter of `@opentelemetry/api`. */
export interface OtelMeter {
  createObservableCounter(name: string, options: OtelInstrumentOptions): object
  createObservableGauge(name: string, options: OtelInstrumentOptions): object
  createHistogram(
    name: string,
    options: OtelInstrumentOptions,
  ): { record(value: number, attributes: Record<string, string>): void }
  addBatchObservableCallback(callback: (result: OtelObservableResult) => void, instruments: object[]): void
  removeBatchObservableCallback(callback: (result: OtelObservableResult) => void, instruments: object[]): void
}

export interface OtelMetricsOptions {
  /** `metrics.getMeter('symphony-transport')`, say. */
  readonly meter: OtelMeter
  /** Of each name, and of each attribute but `error.type`. Default: `symphony_transport`. */
  readonly prefix?: string | undefined
  /** Value of the attribute `engine`. Default: `engine.id`, which counts the engines of the process. */
  readonly name?: string | undefined
  /** As of `promMetrics()`: the attribute `endpoint`, for a hundred endpoints. Default: false. */
  readonly endpoints?: boolean | undefined
}

const checks = {
  ...commonChecks,
  meter: has('createObservableCounter', 'createObservableGauge', 'createHistogram', 'addBatchObservableCallback'),
} satisfies Checks

/**
 * Makes instruments for all metrics. They are read when the meter's readers collect; events are counted from now on.
 * Several engines may use the same meter. `stop()` ends it, and so does the end of the engine.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function otelMetrics(engine: ObservedEngine, options: OtelMetricsOptions): { stop(): void } {
  assertEngine(engine, 'otelMetrics()')
  const given = readOptions<OtelMetricsOptions>(options, checks, 'otelMetrics()')
  const { meter, prefix = DEFAULT_PREFIX, name = engine.id, endpoints = false } = given
  if ((meter as OtelMeter | undefined) === undefined)
    throw new TransportError('ERR_INVALID_OPTION', 'otelMetrics(): give a meter of @opentelemetry/api.')
  const attributesOf = (labels: Labels): Record<string, string> => toAttributes(labels, prefix)
  const histograms = new Map<HistogramMetric, ReturnType<OtelMeter['createHistogram']>>()
  const observed: (readonly [StatsMetric | EventMetric, object])[] = []
  for (const metric of metrics) {
    const { help: description, unit } = metric
    const full = otelName(prefix, metric)
    if (metric.kind === 'histogram') {
      const advice = { explicitBucketBoundaries: [...metric.buckets] }
      histograms.set(metric, meter.createHistogram(full, { description, unit, advice }))
    } else {
      const instrument =
        metric.kind === 'counter'
          ? meter.createObservableCounter(full, { description, unit })
          : meter.createObservableGauge(full, { description, unit })
      observed.push([metric, instrument])
    }
  }
  const source = new EngineSource(
    engine,
    { name, endpoints },
    {
      onValue: (metric, labels, value) => histograms.get(metric)?.record(value, attributesOf(labels)),
      onClosed: () => stop(),
    },
  )
  const callback = (result: OtelObservableResult): void => {
    for (const [metric, instrument] of observed)
      for (const { labels, value } of source.read(metric)) result.observe(instrument, value, attributesOf(labels))
  }
  const instruments = observed.map(([, instrument]) => instrument)
  meter.addBatchObservableCallback(callback, instruments)
  const stop = (): void => {
    source.stop()
    meter.removeBatchObservableCallback(callback, instruments)
  }
  return { stop }
}

/** By the conventions: an error code is `error.type`, which is missing where nothing has failed. */
function toAttributes({ code, ...labels }: Labels, prefix: string): Record<string, string> {
  const own = Object.entries(labels).map(([label, value]) => [`${prefix}.${label}`, value] as const)
  return { ...Object.fromEntries(own), ...(code === undefined || code === 'OK' ? {} : { 'error.type': code }) }
}
