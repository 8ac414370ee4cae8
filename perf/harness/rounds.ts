/** Interleaved rounds: every contender once a round, so that changes of the machine's load affect all of them alike. */
import { silent, type Progress } from './progress.js'
import { median } from './statistics.js'

/** How a round goes through the contenders; the first is round 0. */
export type Order = <Item>(items: readonly Item[], round: number) => readonly Item[]

const asGiven: Order = (items) => items

/** Runs `measure` for each contender in each round; results by contender, in order of rounds. */
export async function interleave<Item extends { readonly name: string }, Sample>(
  items: readonly Item[],
  rounds: number,
  measure: (item: Item) => Promise<Sample>,
  progress: Progress = silent,
  order: Order = asGiven,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(items.map((item) => [item.name, []]))
  progress.begin('measurements', rounds * items.length)
  try {
    for (let round = 0; round < rounds; round++) {
      for (const item of order(items, round)) {
        samples.get(item.name)?.push(await measure(item))
        progress.step()
      }
    }
  } finally {
    progress.end()
  }
  return samples
}

/** Median over the rounds of one figure; undefined where the system could not tell it. */
export function medianOf<Sample>(
  samples: readonly Sample[],
  figure: (sample: Sample) => number | undefined,
): number | undefined {
  const values = samples.map(figure).filter((value) => value !== undefined)
  return values.length === 0 ? undefined : median(values)
}

/** Largest less smallest of one figure in all rounds, by its median. */
export function spreadOf<Sample>(samples: readonly Sample[], figure: (sample: Sample) => number): number {
  const values = samples.map(figure)
  return (Math.max(...values) - Math.min(...values)) / median(values)
}
