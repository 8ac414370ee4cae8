/**
 * The metrics of engines for `prom-client`. Its interface is written out here, as far as used, so that the package is
 * not needed by hosts that do not use it.
 */
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { EngineSource, type ObservedEngine } from './engine-source.js'
import {
  promName,
  type EventMetric,
  type HistogramMetric,
  type Labels,
  type Metric,
  type StatsMetric,
} from './metric.js'
import { assertEngine, checkLabels, commonChecks, DEFAULT_PREFIX, has, NO_LABELS, readNamed } from './options.js'
import { metrics } from './table.js'

/** A registry of `prom-client`. */
export interface PromRegistry {
  getSingleMetric(name: string): unknown
  removeSingleMetric(name: string): void
}

export interface PromCounter {
  inc(labels: Labels, value: number): void
  reset(): void
}

export interface PromGauge {
  set(labels: Labels, value: number): void
  reset(): void
}

export interface PromHistogram {
  observe(labels: Labels, value: number): void
  remove(labels: Labels): void
}

/** What `import client from 'prom-client'` gives. Its constructors take its own types, which are not written out. */
export interface PromClient {
  readonly register: PromRegistry
  readonly Counter: new (configuration: never) => PromCounter
  readonly Gauge: new (configuration: never) => PromGauge
  readonly Histogram: new (configuration: never) => PromHistogram
}

export interface PromEngineOptions {
  /** Value of the label `engine`. Default: `engine.id`, which counts the engines of the process. */
  readonly name?: string | undefined
}

export interface PromOptions extends PromEngineOptions {
  /** The package: `import client from 'prom-client'`. */
  readonly client: PromClient
  /** Default: `client.register`. */
  readonly registry?: PromRegistry | undefined
  /** Of each name. Default: `symphony_transport`. */
  readonly prefix?: string | undefined
  /** Of each time series, besides those of the metric. */
  readonly labels?: Labels | undefined
  /**
   * True: the metrics of pools, listeners, reconnecting connections and breakers have the label `endpoint`, whose value
   * is `other` after the first hundred. Default: false, since many endpoints would make as many time series.
   */
  readonly endpoints?: boolean | undefined
}

export interface PromMetrics {
  /** Another engine of this process, in the same metrics. @throws {TransportError} ERR_INVALID_OPTION */
  add(engine: ObservedEngine, options?: PromEngineOptions): void
  /** Takes the metrics out of the registry and observes nothing any more. So does the end of the last engine. */
  stop(): void
}

const checks = {
  ...commonChecks,
  client: (value: unknown) => has('Counter', 'Gauge', 'Histogram')(value),
  registry: has('getSingleMetric', 'removeSingleMetric'),
  labels: checkLabels,
} satisfies Checks

/**
 * Registers the metrics of an engine. They are read when the registry is; events are counted from now on. An engine
 * that closes goes out of them, and the last one takes them out of the registry.
 * @throws {TransportError} ERR_INVALID_OPTION, also if the registry has metrics of these names.
 */
export function promMetrics(engine: ObservedEngine, options: PromOptions): PromMetrics {
  assertEngine(engine, 'promMetrics()')
  const { name, ...settings } = readOptions<PromOptions>(options, checks, 'promMetrics()')
  if ((settings.client as PromClient | undefined) === undefined)
    throw refuse("give client: import client from 'prom-client'")
  const registered = new RegisteredMetrics(settings)
  registered.add(engine, { name })
  return registered
}

class RegisteredMetrics implements PromMetrics {
  readonly #options: Omit<PromOptions, 'name'>
  readonly #registry: PromRegistry
  readonly #sources = new Map<string, EngineSource>()
  readonly #names: string[] = []
  readonly #histograms = new Map<HistogramMetric, PromHistogram>()
  /** By engine: what its histograms have. */
  readonly #series = new Map<string, Map<string, readonly [HistogramMetric, Labels]>>()

  constructor(options: Omit<PromOptions, 'name'>) {
    const { client, registry = client.register, prefix = DEFAULT_PREFIX } = options
    this.#options = options
    this.#registry = registry
    const first = metrics.map((metric) => promName(prefix, metric)).find((name) => registry.getSingleMetric(name))
    if (first !== undefined)
      throw refuse(
        `the registry has ${first} already. Call add() of what the first call returned, or give another prefix`,
      )
    for (const metric of metrics) this.#register(metric, prefix)
  }

  add(engine: ObservedEngine, options: PromEngineOptions = {}): void {
    assertEngine(engine, 'add()')
    const name = readNamed(options, engine, 'add()')
    if (this.#names.length === 0) throw refuse('these metrics were stopped. Call promMetrics() again', 'add()')
    if (this.#sources.has(name)) throw refuse('there is an engine of that name. Give another one', 'add()')
    const { endpoints = false, labels } = this.#options
    const series = new Map<string, readonly [HistogramMetric, Labels]>()
    this.#series.set(name, series)
    const onValue = (metric: HistogramMetric, own: Labels, value: number): void => {
      const all = { ...labels, ...own }
      series.set(`${metric.name} ${JSON.stringify(all)}`, [metric, all])
      this.#histograms.get(metric)?.observe(all, value)
    }
    const onClosed = (): void => this.#forget(name)
    this.#sources.set(name, new EngineSource(engine, { name, endpoints }, { onValue, onClosed }))
  }

  stop(): void {
    for (const source of this.#sources.values()) source.stop()
    this.#sources.clear()
    this.#series.clear()
    for (const name of this.#names.splice(0)) this.#registry.removeSingleMetric(name)
  }

  #forget(engine: string): void {
    this.#sources.delete(engine)
    for (const [metric, labels] of this.#series.get(engine)?.values() ?? [])
      this.#histograms.get(metric)?.remove(labels)
    this.#series.delete(engine)
    if (this.#sources.size === 0) this.stop()
  }

  #register(metric: Metric, prefix: string): void {
    const { client, labels = NO_LABELS, endpoints = false } = this.#options
    const name = promName(prefix, metric)
    const own = [...(metric.labels ?? []), ...(endpoints && metric.isNamed ? ['endpoint'] : [])]
    const labelNames = ['engine', ...own, ...Object.keys(labels)]
    const base = { name, help: metric.help, labelNames, registers: [this.#registry] }
    this.#names.push(name)
    switch (metric.kind) {
      case 'histogram':
        this.#histograms.set(metric, new client.Histogram({ ...base, buckets: metric.buckets } as never))
        break
      case 'counter': {
        const counter = new client.Counter({
          ...base,
          collect: () => this.#collect(metric, counter, (all, value) => counter.inc(all, value)),
        } as never)
        break
      }
      case 'gauge': {
        const gauge = new client.Gauge({
          ...base,
          collect: () => this.#collect(metric, gauge, (all, value) => gauge.set(all, value)),
        } as never)
        break
      }
    }
  }

  /** What is told is all of it, so what was told before goes. */
  #collect(
    metric: StatsMetric | EventMetric,
    told: { reset(): void },
    tell: (labels: Labels, value: number) => void,
  ): void {
    told.reset()
    for (const source of this.#sources.values())
      for (const { labels, value } of source.read(metric)) tell({ ...this.#options.labels, ...labels }, value)
  }
}

function refuse(problem: string, where = 'promMetrics()'): TransportError {
  return new TransportError('ERR_INVALID_OPTION', `${where}: ${problem}.`)
}
