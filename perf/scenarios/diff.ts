/**
 * Two engines in one run. Each round starts fresh programs for every trial, because two pairs of programs with the same
 * engine differ by more than noise does for as long as they live: so the pair of a round is one sample, and the samples
 * do not depend on each other. Within a round both take turns.
 */
import { whyNot } from '../harness/probe.js'
import type { Progress } from '../harness/progress.js'
import { median } from '../harness/statistics.js'
import { confidenceOfEach, judgeChange, type Judgement } from '../report/change.js'
import type { Figure } from '../report/figure.js'
import { trialsOf, type Engines, type Selection, type Trial } from './diff-trials.js'

/** Base, head, head, base; the next round the other way round. */
const TURNS = 2

export interface DiffPlan extends Selection {
  readonly folder: string
  readonly progress: Progress
  readonly engines: Engines
  readonly rounds: number
  /** What is done in a turn; undefined: as much as takes `seconds`. */
  readonly count: number | undefined
  readonly seconds: number
  readonly pinTo: string | undefined
  /** 0.05 for 5 %. */
  readonly margin: number
}

export interface DiffRow extends Pick<Figure, 'metric' | 'unit' | 'better' | 'at'>, Judgement {
  /** Medians. */
  readonly base: number
  readonly head: number
  /** By how much `net`, which does not change, did: the middle half of its samples, by their median. */
  readonly netVaries: number
}

export interface DiffReport {
  readonly rows: readonly DiffRow[]
  readonly figures: readonly Figure[]
  readonly margin: number
  /** What could not be measured, and why: one line each. */
  readonly skipped: readonly string[]
  /** Counts that are wrong, and programs that failed: one line each. */
  readonly failures: readonly string[]
}

export async function runDiff(plan: DiffPlan): Promise<DiffReport> {
  const { trials, skipped } = await measurable(trialsOf(plan), plan)
  const failed = new Map<Trial, string>()
  const figures: Figure[][] = []
  plan.progress.begin('measurements', plan.rounds * trials.length)
  try {
    for (let round = 0; round < plan.rounds; round++) {
      for (const trial of trials) {
        if (!failed.has(trial)) {
          const outcome = await tryOnce(trial, plan, round)
          if (typeof outcome === 'string') failed.set(trial, outcome)
          else figures.push(outcome)
        }
        plan.progress.step()
      }
    }
  } finally {
    plan.progress.end()
  }
  const joined = join(figures.flat())
  const failures = [...failed].map(([trial, why]) => `${nameOf(trial)}: ${why}`)
  return { rows: rowsOf(joined, plan.margin), figures: joined, margin: plan.margin, skipped, failures }
}

/** The trials that both engines can do, and a line for each other. */
async function measurable(
  all: readonly Trial[],
  { engines, folder }: DiffPlan,
): Promise<{ trials: readonly Trial[]; skipped: readonly string[] }> {
  const reasons = new Map<string, string>()
  for (const transport of new Set(all.map((trial) => trial.transport))) {
    for (const side of ['base', 'head'] as const) {
      const reason = await whyNot(engines[side], transport, folder)
      if (reason !== undefined && !reasons.has(transport)) reasons.set(transport, `${side} cannot: ${reason}`)
    }
  }
  const skipped = all.flatMap((trial) => {
    const reason = reasons.get(trial.transport)
    return reason === undefined ? [] : [`${nameOf(trial)}: ${reason}`]
  })
  return { trials: all.filter(({ transport }) => !reasons.has(transport)), skipped: [...new Set(skipped)] }
}

function nameOf({ scenario, transport }: Trial): string {
  return `${scenario} over ${transport}`
}

/** The judged figures of one round, of one sample each; a text: what went wrong. */
async function tryOnce(trial: Trial, plan: DiffPlan, round: number): Promise<Figure[] | string> {
  const { folder, engines, count, pinTo } = plan
  try {
    const { right, figures } = await trial.run({
      ...{ folder, engines, count, pinTo },
      seconds: plan.seconds / TURNS,
      rounds: TURNS,
      headFirst: round % 2 === 1,
      connections: 1,
      shards: undefined,
      wake: undefined,
      inlineWrites: undefined,
    })
    if (!right) return 'a count is wrong, or something was not released'
    return figures
      .filter(({ metric }) => trial.metrics.includes(metric))
      .map(({ metric, unit, better, contender, at, samples }) => ({
        ...{ metric, unit, better, contender },
        isBaseline: contender === 'base',
        at: { ...at, ...trial.at },
        samples: [median(samples)],
      }))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const conditionsOf = ({ metric, at }: Figure): string => JSON.stringify([metric, at])

/** One figure of all rounds. */
function join(figures: readonly Figure[]): Figure[] {
  const byName = new Map<string, Figure>()
  for (const figure of figures) {
    const name = `${figure.contender} ${conditionsOf(figure)}`
    const samples = [...(byName.get(name)?.samples ?? []), ...figure.samples]
    byName.set(name, { ...figure, samples })
  }
  return [...byName.values()]
}

function rowsOf(figures: readonly Figure[], margin: number): DiffRow[] {
  const bases = figures.filter(({ contender }) => contender === 'base')
  const confidence = confidenceOfEach(bases.length)
  return bases.flatMap((base): DiffRow[] => {
    const beside = figures.filter((other) => conditionsOf(other) === conditionsOf(base))
    const samplesOf = (name: string): readonly number[] =>
      beside.find(({ contender }) => contender === name)?.samples ?? []
    const [head, net] = [samplesOf('head'), samplesOf('net')]
    // What the system could not tell in some round has no pairs.
    if (head.length !== base.samples.length) return []
    const { metric, unit, better, at } = base
    const judgement = judgeChange(head, base.samples, better, { margin, confidence })
    return [
      {
        ...{ metric, unit, better, at, ...judgement },
        base: median(base.samples),
        head: median(head),
        netVaries: middleHalf(net) / median(net),
      },
    ]
  })
}

function middleHalf(samples: readonly number[]): number {
  // Fewer have no middle half.
  if (samples.length < 4) return NaN
  const sorted = [...samples].sort((a, b) => a - b)
  const quarter = Math.floor(sorted.length / 4)
  return (sorted[sorted.length - 1 - quarter] ?? NaN) - (sorted[quarter] ?? NaN)
}
