/** Runs as `--json` writes them, with made-up figures that are the same every time. */
import type { MachineFacts } from '../../perf/harness/machine.js'
import type { Figure, Percentile } from '../../perf/report/figure.js'
import type { Run } from '../../perf/report/page/part.js'

export const machine: MachineFacts = {
  node: 'v20.19.0',
  platform: 'linux x64',
  kernel: '6.1.0',
  cpu: 'Some Processor',
  cpus: 8,
  memoryBytes: 17_179_869_184,
  loadAverage: 0.4,
}

const WAVES: readonly number[] = [0, 0.04, -0.02, 0.07, 0.01, -0.03, 0.02]

function rounds(middle: number): readonly number[] {
  return WAVES.map((wave) => Number((middle * (1 + wave)).toPrecision(6)))
}

function tail(middle: number, worst: number): readonly Percentile[] {
  return [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100].map((percentile) => {
    const depth = percentile === 100 ? 5 : -Math.log10(1 - percentile / 100)
    return { percentile, value: Number((middle * 0.85 * (worst / middle) ** ((depth / 5) ** 2)).toPrecision(5)) }
  })
}

function figure(given: Partial<Figure> & Pick<Figure, 'contender' | 'samples'>): Figure {
  return { metric: 'round trip', unit: 'us', better: 'lower', isBaseline: false, at: { bytes: 64 }, ...given }
}

const BYTES: readonly number[] = [64, 1_024, 16_384, 65_536]

const latency: Run = {
  version: 1,
  machine,
  scenario: 'latency',
  settings: { sizes: BYTES, rounds: 7, json: 'latency.json' },
  right: true,
  figures: BYTES.flatMap((bytes) => {
    const at = { transport: 'unix', bytes }
    const slow = 20 + bytes / 900
    return (
      [
        ['net to net', 1],
        ['engine to net', 0.82],
        ['engine to engine', 0.97 + bytes / 2e5],
        ['engine to engine, shared memory', 0.4],
      ] as const
    ).flatMap(([contender, times]) => {
      const isBaseline = times === 1
      const micros = slow * times
      return [
        figure({ contender, isBaseline, at, samples: rounds(micros), distribution: tail(micros, 900 * times) }),
        figure({
          contender,
          isBaseline,
          at,
          metric: 'round trip, p99',
          samples: rounds(micros * 3.5 * Math.sqrt(times)),
        }),
        figure({ contender, isBaseline, at, metric: 'CPU of a round trip', samples: rounds(30 + slow * times * 0.5) }),
      ]
    })
  }),
}

const throughput: Run = {
  version: 1,
  machine,
  scenario: 'throughput',
  settings: { sizes: BYTES, rounds: 7, wake: { spinMicros: 50 } },
  right: true,
  figures: BYTES.flatMap((bytes) =>
    (
      [
        ['net naive', 700_000, true],
        ['net corked', 4_100_000, true],
        ['engine', 6_500_000, false],
        ['engine, shared memory', 27_000_000, false],
      ] as const
    ).flatMap(([contender, most, isBaseline]) => {
      const each = 1 / (1 / most + bytes / 6e9)
      const at = { bytes }
      return [
        figure({
          ...{ contender, isBaseline, at, samples: rounds(each) },
          ...{ metric: 'frames', unit: 'frames/s', better: 'higher' },
        }),
        figure({
          ...{ contender, isBaseline, at, samples: rounds((each * bytes) / 1e6) },
          ...{ metric: 'payload', unit: 'MB/s', better: 'higher' },
        }),
      ]
    }),
  ),
}

const requests: Run = {
  version: 1,
  machine,
  scenario: 'requests',
  settings: { connections: [1, 10, 100, 1_000], rounds: 7 },
  right: true,
  figures: [1, 10, 100, 1_000].flatMap((connections) =>
    [1, 2, 4].flatMap((shards) =>
      (
        [
          ['net server', 60_000, true],
          ['engine server', 68_000 + shards * 4_000, false],
        ] as const
      ).map(([contender, most, isBaseline]) =>
        figure({
          ...{ contender, isBaseline, at: { connections, shards } },
          samples: rounds((most * connections) / (connections + 2)),
          ...{ metric: 'requests', unit: 'requests/s', better: 'higher' },
        }),
      ),
    ),
  ),
}

export const sampleRuns: readonly Run[] = [latency, throughput, requests]
