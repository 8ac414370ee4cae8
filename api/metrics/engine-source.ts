/** The values of all metrics for one engine, from the moment that it is observed until it has closed. */
import { diagnosticsChannels, observe } from '../../engine/common/diagnostics.js'
import type { Engine, EngineStats } from '../index.js'
import { EndpointNames } from './endpoint-names.js'
import type { EventMetric, HistogramMetric, Labels, Sample, StatsMetric } from './metric.js'
import { metrics } from './table.js'

/** What metrics need of an engine. */
export type ObservedEngine = Pick<Engine, 'id' | 'stats'>

export interface SourceSettings {
  /** Value of the label `engine`. */
  readonly name: string
  /** Whether named things have their endpoints as labels. */
  readonly endpoints: boolean
}

export interface SourceEvents {
  /** A value for a histogram. */
  onValue(metric: HistogramMetric, labels: Labels, value: number): void
  /** The engine has closed, and this has stopped. */
  onClosed(): void
}

interface Measured {
  readonly labels: Labels
  value: number
}

export class EngineSource {
  readonly #engine: ObservedEngine
  readonly #settings: SourceSettings
  readonly #endpoints = new EndpointNames()
  readonly #counts = new Map<EventMetric, Map<string, Measured>>()
  readonly #stops: (() => void)[]
  /** Of this turn: all metrics of one collection are of the same moment, and it is taken once. */
  #stats: EngineStats | undefined

  constructor(engine: ObservedEngine, settings: SourceSettings, events: SourceEvents) {
    this.#engine = engine
    this.#settings = settings
    const { id } = engine
    this.#stops = metrics.flatMap((metric) => {
      if (!('from' in metric)) return []
      if (metric.kind === 'histogram')
        return metric.from(id, (sample) => events.onValue(metric, this.#labelsOf(sample), sample.value))
      const counts = new Map<string, Measured>()
      this.#counts.set(metric, counts)
      // A rate from the first event on needs the 0 before it.
      if (metric.labels === undefined && !(settings.endpoints && metric.isNamed)) this.#add(counts, { value: 0 })
      return metric.from(id, (sample) => this.#add(counts, sample))
    })
    this.#stops.push(
      observe(diagnosticsChannels.engineClosed, (event) => {
        if (event.engine !== id) return
        this.stop()
        events.onClosed()
      }),
    )
  }

  read(metric: StatsMetric | EventMetric): readonly Readonly<Measured>[] {
    if ('from' in metric) return [...(this.#counts.get(metric)?.values() ?? [])]
    const sums = new Map<string, Measured>()
    for (const sample of metric.read(this.#snapshot())) this.#add(sums, sample)
    return [...sums.values()]
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  #snapshot(): EngineStats {
    if (this.#stats === undefined) {
      this.#stats = this.#engine.stats()
      queueMicrotask(() => {
        this.#stats = undefined
      })
    }
    return this.#stats
  }

  #add(sums: Map<string, Measured>, sample: Sample): void {
    const labels = this.#labelsOf(sample)
    const key = JSON.stringify(labels)
    const known = sums.get(key)
    if (known === undefined) sums.set(key, { labels, value: sample.value })
    else known.value += sample.value
  }

  #labelsOf({ labels, endpoint }: Sample): Labels {
    const { name, endpoints } = this.#settings
    const named = endpoints && endpoint !== undefined ? { endpoint: this.#endpoints.of(endpoint) } : undefined
    return { engine: name, ...labels, ...named }
  }
}
