/** Metrics and spans with the real SDK of OpenTelemetry, read from memory. */
import { channel } from 'node:diagnostics_channel'
import { SpanStatusCode, type Attributes } from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import test from 'ava'
import {
  createEngine,
  diagnosticsChannels,
  observe,
  type Engine,
  type ReconnectingConnection,
} from '../../api/index.js'
import { otelName } from '../../api/metrics/metric.js'
import {
  otelMetrics,
  otelSpans,
  type OtelMetricsOptions,
  type OtelSpansOptions,
  type OtelTracer,
} from '../../api/metrics/index.js'
import { metrics } from '../../api/metrics/table.js'
import { throws } from '../helpers/expected-errors.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000
const FRAMES = 25
const P = 'symphony_transport'
const HOUR_MS = 3_600_000

/** What was exported at last, by name. */
class Exported {
  readonly #exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  readonly #reader = new PeriodicExportingMetricReader({ exporter: this.#exporter, exportIntervalMillis: HOUR_MS })
  readonly provider = new MeterProvider({ readers: [this.#reader] })

  async collect(): Promise<ReadonlyMap<string, MetricData>> {
    this.#exporter.reset()
    await this.#reader.forceFlush()
    const all = this.#exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    return new Map(all.map((metric) => [metric.descriptor.name, metric]))
  }
}

function sumOf(metric: MetricData | undefined, attributes: Attributes = {}): number {
  if (metric === undefined) throw new Error('there is no such metric')
  const points = metric.dataPoints.filter((point) =>
    Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
  )
  return points.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : value.count), 0)
}

test.serial('metrics: every one of the table has its unit, and the values are what has happened', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const exported = new Exported()
  const meter = exported.provider.getMeter('tests')
  const engines = await Promise.all([createEngine({ shards: 1 }), createEngine({ shards: 1 })])
  const [engine, other] = engines
  try {
    otelMetrics(engine, { meter, endpoints: true })
    let looks = 0
    const stats = (): ReturnType<Engine['stats']> => (looks++, other.stats())
    const second = otelMetrics({ id: other.id, stats }, { meter, name: 'other' })
    const transport = engine.transport(folder.endpoint())
    const listener = await transport.listen()
    const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
    for (let i = 0; i < FRAMES; i++) dialled.send('frame')
    for (let i = 0; i < FRAMES; i++) await accepted?.receive()
    await t.throwsAsync(engine.transport('memory:nobody').connect())
    dialled.destroy()
    await accepted?.closed
    const found = await exported.collect()
    const expected = metrics.filter((metric) => !('from' in metric) || metric.kind === 'histogram')
    for (const metric of expected) {
      const { descriptor } = found.get(otelName(P, metric)) ?? {}
      t.is(descriptor?.unit, metric.unit, metric.name)
    }
    const own = { [`${P}.engine`]: engine.id }
    t.is(sumOf(found.get(`${P}.frames.sent`), own), FRAMES)
    t.is(sumOf(found.get(`${P}.frames.sent`), { [`${P}.engine`]: 'other' }), 0)
    t.is(sumOf(found.get(`${P}.payload.received`), own), FRAMES * 5)
    t.is(sumOf(found.get(`${P}.listeners`), own), 1)
    const connects = found.get(`${P}.connect.duration`)
    t.is(connects?.dataPointType, DataPointType.HISTOGRAM)
    t.is(sumOf(connects, { ...own, [`${P}.kind`]: dialled.info.kind }), 1)
    t.is(sumOf(connects, { 'error.type': 'ERR_NOT_FOUND' }), 1)
    t.is(sumOf(found.get(`${P}.connections.closed`), { [`${P}.role`]: 'dialled', 'error.type': 'ERR_ABORTED' }), 1)
    t.is(looks, 1, 'one look is enough for all metrics of a collection')
    second.stop()
    await exported.collect()
    t.is(looks, 1)
  } finally {
    for (const one of engines) t.is((await one.close({ graceMs: 0 })).leaked, 0)
    await exported.provider.shutdown()
    await folder.remove()
  }
  t.deepEqual(
    Object.values(diagnosticsChannels).filter((name) => channel(name).hasSubscribers),
    [],
  )
})

test.serial('spans: attempts to connect, and a reconnect with its attempts as events', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const tracer = provider.getTracer('tests')
  const engine = await createEngine({ shards: 1, ...faultyOptions() })
  try {
    otelSpans(engine, { tracer })
    const transport = engine.transport(folder.endpoint())
    const reconnecting = transport.reconnecting({ backoff: { initialMs: 1, maxMs: 1 }, breaker: false })
    await nextEvent('reconnecting.failed')
    const listener = await transport.listen((connection) => {
      connection.subscribe(() => undefined)
    })
    await reconnecting.connected()
    const back = nextEvent('reconnecting.connected')
    await strike(engine, 0, 'exit')
    await back
    await reconnecting.close()
    await listener.close()
    const spans = exporter.getFinishedSpans()
    const [first, second, ...more] = spans.filter(({ name }) => name === 'reconnect')
    t.deepEqual(more, [], 'an orderly end makes no span')
    const eventsOf = (span: typeof first): ReadonlySet<string> => new Set(span?.events.map(({ name }) => name))
    t.true(eventsOf(first).has('attempt failed'))
    t.is(first?.status.code, SpanStatusCode.UNSET)
    t.is(first?.attributes[`${P}.endpoint`], transport.endpoint)
    const lost = second?.events.find(({ name }) => name === 'lost')
    t.is(lost?.attributes?.['error.type'], 'ERR_SHARD_LOST')
    const { kind } = reconnecting.info
    const connects = spans.filter(({ name }) => name === `connect ${kind}`)
    const failed = connects.filter(({ status }) => status.code === SpanStatusCode.ERROR)
    t.true(failed.length >= 1)
    t.true(failed.every(({ attributes }) => String(attributes['error.type']).startsWith('ERR_')))
    t.is(connects.length - failed.length, 2)
    const doomed = engine.transport('memory:nobody').reconnecting({ maxAttempts: 1 })
    await doomed.closed
    const last = exporter
      .getFinishedSpans()
      .filter(({ name }) => name === 'reconnect')
      .at(-1)
    t.is(last?.status.code, SpanStatusCode.ERROR)
    t.is(last?.attributes['error.type'], 'ERR_GAVE_UP')
    // One that is under way when the engine closes is ended too.
    engine.transport('memory:nobody').reconnecting()
    const before = exporter.getFinishedSpans().length
    await nextEvent('reconnecting.failed')
    await engine.close()
    t.true(exporter.getFinishedSpans().length > before)
  } finally {
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await provider.shutdown()
    await folder.remove()
  }
  t.deepEqual(
    Object.values(diagnosticsChannels).filter((name) => channel(name).hasSubscribers),
    [],
  )
})

/** Spans that were begun and not ended, by name. */
class OpenSpans implements OtelTracer {
  readonly names: string[] = []
  begun = 0

  startSpan(name: string): ReturnType<OtelTracer['startSpan']> {
    this.begun++
    this.names.push(name)
    const ignore = (): void => undefined
    const end = (): void => void this.names.splice(this.names.indexOf(name), 1)
    return { setAttributes: ignore, addEvent: ignore, setStatus: ignore, end }
  }
}

for (const event of [
  'reconnectingAttempt',
  'reconnectingFailed',
  'reconnectingConnected',
  'reconnectingLost',
] as const) {
  test.serial(`spans: an observer that ends the connection at ${event} leaves no span open`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const engine = await createEngine({ shards: 1 })
    const tracer = new OpenSpans()
    let reconnecting: ReconnectingConnection | undefined
    // It is called before those that make spans.
    const stop = observe(diagnosticsChannels[event], () => reconnecting?.destroy())
    try {
      otelSpans(engine, { tracer })
      const transport = engine.transport(`memory:${randomName()}`)
      reconnecting = transport.reconnecting({ backoff: { initialMs: 1, maxMs: 1 }, breaker: false })
      if (event !== 'reconnectingAttempt' && event !== 'reconnectingFailed')
        await transport.listen((connection) => connection.destroy())
      await reconnecting.closed
      // The attempt to connect that this has aborted is over a little later.
      while (tracer.names.some((name) => name !== 'reconnect')) await new Promise(setImmediate)
      t.deepEqual(tracer.names, [])
    } finally {
      stop()
      await engine.close({ graceMs: 0 })
    }
  })
}

test.serial('spans: none begins once they are stopped, also by an observer', async (t) => {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1 })
  const tracer = new OpenSpans()
  let spans: ReturnType<typeof otelSpans> | undefined
  const stop = observe(diagnosticsChannels.connectStarted, () => spans?.stop())
  try {
    spans = otelSpans(engine, { tracer })
    await t.throwsAsync(engine.transport(`memory:${randomName()}`).connect())
    t.is(tracer.begun, 0)
  } finally {
    stop()
    await engine.close({ graceMs: 0 })
  }
})

test('wrong options are refused', (t) => {
  t.timeout(WATCHDOG_MS)
  const engine = { id: '0', stats: () => undefined } as unknown as Engine
  for (const options of [{}, { meter: {} }, { meter: undefined, name: '' }])
    throws(t, () => otelMetrics(engine, options as OtelMetricsOptions), 'ERR_INVALID_OPTION')
  for (const options of [{}, { tracer: {} }, { tracer: { startSpan: () => undefined }, spans: true }])
    throws(t, () => otelSpans(engine, options as OtelSpansOptions), 'ERR_INVALID_OPTION')
  throws(t, () => otelSpans(undefined as unknown as Engine, {} as OtelSpansOptions), 'ERR_INVALID_OPTION')
})
