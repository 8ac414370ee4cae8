/** What `tune` tries: one option at a time, and only where it can matter. */
import { defaultShards } from '../../api/engine-options.js'
import type { FramingKind } from '../../api/index.js'
import type { Sweep, Tuning } from '../harness/tuning.js'

export interface Candidate {
  /** As it stands in a table. */
  readonly name: string
  /** Undefined: it changes several. */
  readonly sweep: Sweep | undefined
  readonly tuning: Tuning
}

export interface TuneSituation {
  /** Undefined: all that can matter. */
  readonly wanted: readonly Sweep[] | undefined
  readonly connections: number
  readonly framing: FramingKind
  /** Frames go through memory that both processes have. */
  readonly isShared: boolean
  readonly cpus: number
}

const tunings: Readonly<Record<Sweep, readonly Tuning[]>> = {
  shards: [{ shards: 1 }, { shards: 2 }, { shards: 4 }, { shards: 8 }],
  wake: [{ wake: 'park' }, { wake: { spinMicros: 20 } }, { wake: { spinMicros: 200 } }],
  inline: [{ inlineWrites: 'never' }],
  rings: [
    { initialRingBytes: 131_072 },
    { initialRingBytes: 2_097_152 },
    { maxRingBytes: 131_072 },
    { maxRingBytes: 524_288 },
  ],
}

export function candidatesFor(situation: TuneSituation): readonly Candidate[] {
  const { wanted } = situation
  return (Object.keys(tunings) as Sweep[])
    .filter((sweep) => wanted?.includes(sweep) ?? true)
    .flatMap((sweep) =>
      tunings[sweep]
        .filter((tuning) => canMatter(tuning, situation))
        .map((tuning) => ({ name: literal(tuning), sweep, tuning })),
    )
}

function canMatter(tuning: Tuning, { connections, framing, isShared, cpus }: TuneSituation): boolean {
  const { shards, inlineWrites } = tuning
  if (shards !== undefined) {
    const isDefault = shards === defaultShards(cpus)
    // A connection lies on one shard, and over shared memory on none.
    return !isDefault && !isShared && connections > 1 && shards <= Math.max(connections, 1) && shards <= cpus
  }
  if (inlineWrites !== undefined) return !isShared && framing === 'length'
  return true
}

/** The best of each sweep in one, and besides it the very best alone. `better`: the best first. */
export function mergedOf(better: readonly Candidate[]): readonly Candidate[] {
  const [best] = better
  if (best === undefined) return []
  const ofEach = better.filter(({ sweep }, index) => better.findIndex((other) => other.sweep === sweep) === index)
  if (ofEach.length === 1) return [best]
  const tuning = Object.assign({}, ...ofEach.map((candidate) => candidate.tuning)) as Tuning
  return [{ name: literal(tuning), sweep: undefined, tuning }, best]
}

/** `wake: 'park', shards: 2`, as one writes it. */
export function literal(tuning: Tuning): string {
  return linesOf(tuning).join(', ')
}

export function linesOf(tuning: Tuning): readonly string[] {
  return Object.entries(tuning).map(([name, value]) => `${name}: ${text(value)}`)
}

function text(value: Tuning[keyof Tuning]): string {
  if (typeof value === 'object') return `{ spinMicros: ${String(value.spinMicros)} }`
  return typeof value === 'string' ? `'${value}'` : String(value)
}
