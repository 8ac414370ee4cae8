/** From the samples of interleaved rounds to figures. */
import { Distribution } from '../harness/distribution.js'
import type { Figure } from './figure.js'

/** One quantity of a sample. */
export interface Measure<Sample> extends Pick<Figure, 'metric' | 'unit' | 'better'> {
  /** Undefined where the system could not tell it. */
  readonly of: (sample: Sample) => number | undefined
  /** Of the same quantity, in microseconds. */
  readonly distribution?: (sample: Sample) => Distribution
}

/** The first contender is the baseline. What could not be told in any round is left out. */
export function figuresOf<Sample>(
  samples: ReadonlyMap<string, readonly Sample[]>,
  at: Figure['at'],
  measures: readonly Measure<Sample>[],
): Figure[] {
  const [baseline] = samples.keys()
  return measures.flatMap(({ metric, unit, better, of, distribution }) =>
    [...samples].flatMap(([contender, own]): Figure[] => {
      const values = own.map(of).filter((value) => value !== undefined)
      if (values.length === 0) return []
      const all = distribution === undefined ? undefined : Distribution.sumOf(own.map(distribution)).percentiles
      const figure = { metric, unit, better, contender, isBaseline: contender === baseline, at, samples: values }
      return [all === undefined ? figure : { ...figure, distribution: all }]
    }),
  )
}
