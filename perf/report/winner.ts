/** Who is ahead in a table, and by how much: the engine over each transport against the best of the others. */
import { medianOf } from '../harness/rounds.js'
import type { ComparedRow, ComparedSample, ComparedTable } from '../scenarios/compared-works.js'
import { reasonFor } from './compare-reasons.js'

/** In how many of the rounds a side must be ahead. */
const MOST_OF_THE_ROUNDS = 0.8

export interface Standing {
  readonly own: ComparedRow
  readonly other: ComparedRow
  /** `even`: the rounds do not agree on who is ahead. */
  readonly state: 'ahead' | 'behind' | 'even'
  /** How many times better the one that is ahead is, by the medians. */
  readonly times: number
}

/** Of a row whose counts are right. */
function samplesOf({ outcome }: ComparedRow): readonly ComparedSample[] {
  if (outcome.kind !== 'measured') return []
  return outcome.samples.every(({ isRight }) => isRight) ? outcome.samples : []
}

/** The median of what decides; undefined: there is nothing right to judge, or so little that it is lost in noise. */
function judged({ work }: ComparedTable, row: ComparedRow): number | undefined {
  const value = medianOf(samplesOf(row), ({ values }) => values[work.judged.key])
  return value !== undefined && value > 0 ? value : undefined
}

function better(table: ComparedTable, mine: number, theirs: number): number {
  return table.work.judged.better === 'higher' ? mine / theirs : theirs / mine
}

/** How many times better `own` is than `other`. */
export function timesBetter(table: ComparedTable, own: ComparedRow, other: ComparedRow): number | undefined {
  const mine = judged(table, own)
  const theirs = judged(table, other)
  return mine === undefined || theirs === undefined ? undefined : better(table, mine, theirs)
}

/** It connects no two processes, so it is no choice for who has them: it is told besides. */
const THREADS = 'message-port'

/** The best of those that are not the engine. */
function bestOther(table: ComparedTable, isOne: (row: ComparedRow) => boolean): ComparedRow | undefined {
  let best: ComparedRow | undefined
  for (const row of table.rows) {
    if (row.peer === 'engine' || !isOne(row) || judged(table, row) === undefined) continue
    if (best === undefined || (timesBetter(table, row, best) ?? 0) > 1) best = row
  }
  return best
}

/** Between processes one for each transport of the engine; between threads too, where they are ahead of it. */
export function standingsOf(table: ComparedTable): readonly Standing[] {
  const ofThreads = against(
    table,
    bestOther(table, ({ peer }) => peer === THREADS),
  )
  return [
    ...against(
      table,
      bestOther(table, ({ peer }) => peer !== THREADS),
    ),
    ...ofThreads.filter(({ state }) => state === 'behind'),
  ]
}

function against(table: ComparedTable, other: ComparedRow | undefined): readonly Standing[] {
  if (other === undefined) return []
  return table.rows
    .filter(({ ours }) => ours !== undefined)
    .flatMap((own) => {
      const times = timesBetter(table, own, other)
      return times === undefined ? [] : [standing(table, own, other, times)]
    })
}

function standing(table: ComparedTable, own: ComparedRow, other: ComparedRow, times: number): Standing {
  const { key } = table.work.judged
  const theirs = samplesOf(other)
  const rounds = samplesOf(own).map(({ values }, i) => {
    return better(table, values[key] ?? NaN, theirs[i]?.values[key] ?? NaN)
  })
  const isAhead = times >= 1
  const agreeing = rounds.filter((ratio) => (isAhead ? ratio > 1 : ratio < 1)).length
  const isEven = agreeing < rounds.length * MOST_OF_THE_ROUNDS
  return { own, other, state: isEven ? 'even' : isAhead ? 'ahead' : 'behind', times: isAhead ? times : 1 / times }
}

export function winnerLines(table: ComparedTable): readonly string[] {
  return standingsOf(table).map((each) => winnerLine(table, each))
}

function winnerLine({ work }: ComparedTable, { own, other, state, times }: Standing): string {
  const ours = `the engine over ${own.ours ?? ''}`
  const by = times.toFixed(2)
  const what = work.judged.unit === 'bytes' ? 'smaller' : 'faster'
  if (state === 'even') {
    return `${work.title}: a tie of ${ours} and ${other.name} (${by} times, within the spread: the rounds do not agree)`
  }
  if (state === 'ahead') return `${work.title}: ${ours} wins, ${by} times ${what} than ${other.name}`
  const reason = reasonFor(work.name, own, other)
  const because = reason === undefined ? '' : ` (${reason})`
  return `${work.title}: ${other.name} wins, ${by} times ${what} than ${ours}${because}`
}
