/** One row a peer, what it cannot do below, and at the end who wins. */
import type { Outcome } from '../commands/scenario.js'
import { medianOf, spreadOf } from '../harness/rounds.js'
import type { CompareReport } from '../scenarios/compare.js'
import type { Column, ComparedRow, ComparedSample, ComparedTable } from '../scenarios/compared-works.js'
import { Distribution } from '../harness/distribution.js'
import type { Figure } from './figure.js'
import { figuresOf, type Measure } from './figures-of.js'
import { figure, table, times } from './table.js'
import { timesBetter, winnerLines } from './winner.js'

const BASELINE = 'net'

/** What the columns beside the figures mean. */
export const COMPARE_LEGEND =
  'Medians of the rounds. spread: largest less smallest of the figure that decides, by its median. behind X: how many times worse than the engine over X in that figure; below 1: better.'

export function compareTable(given: ComparedTable): string {
  const { work, rows } = given
  const own = rows.filter(({ ours }) => ours !== undefined)
  const head = [
    work.title,
    ...work.columns.map((column) => (column === work.judged ? `*${column.title}` : column.title)),
    'spread',
    ...own.map(({ ours }) => `behind ${ours ?? ''}`),
    'counts',
  ]
  const cells = rows.map((row) => [row.name, ...figureCells(given, row), ...behindCells(given, row, own), counts(row)])
  const notes = rows.flatMap(({ name, remark, outcome }) => {
    if (outcome.kind === 'measured') return remark === undefined ? [] : [`  ${name}: ${remark}`]
    return [`  ${name}: ${outcome.why}`]
  })
  return [table(head, cells), ...notes, ...winnerLines(given), ''].join('\n')
}

function figureCells({ work }: ComparedTable, { outcome }: ComparedRow): readonly string[] {
  const samples = outcome.kind === 'measured' ? outcome.samples : []
  const cells = work.columns.map(({ key, digits }) =>
    figure(
      medianOf(samples, ({ values }) => values[key]),
      digits,
    ),
  )
  const spread = samples.length < 2 ? '-' : `${figure(spreadIn(samples, work.judged) * 100, 0)} %`
  return [...cells, spread]
}

function spreadIn(samples: readonly ComparedSample[], { key }: Column): number {
  return spreadOf(samples, ({ values }) => values[key] ?? NaN)
}

function behindCells(given: ComparedTable, row: ComparedRow, own: readonly ComparedRow[]): readonly string[] {
  return own.map((ours) => (ours === row ? '' : times(timesBetter(given, ours, row))))
}

function counts({ outcome }: ComparedRow): string {
  switch (outcome.kind) {
    case 'measured':
      return outcome.samples.every(({ isRight }) => isRight) ? 'right' : 'WRONG'
    case 'absent':
      return '-'
    case 'failed':
      return 'FAILED'
  }
}

/** Below all tables. */
export function compareLines({ fallbacks, unreleased }: CompareReport): readonly string[] {
  return [
    ...fallbacks.map((fallback) => `NOT over shared memory: ${fallback}`),
    ...unreleased.map((name) => `did not release everything: ${name}`),
  ]
}

/** What others do not release is said, but is no mistake of ours. */
export function compareOutcome({ tables, unreleased }: CompareReport): Outcome {
  const right = tables.every(isAllRight) && unreleased.every((name) => !name.startsWith('engine'))
  return { right, reports: tables, figures: tables.flatMap(comparedFigures) }
}

/** Whether no row is wrong or has failed. */
function isAllRight({ rows }: ComparedTable): boolean {
  return rows.every((row) => ['right', '-'].includes(counts(row)))
}

/** `net` is what the others are compared with, where it has a row. */
function comparedFigures({ work, rows }: ComparedTable): readonly Figure[] {
  const samples = new Map<string, readonly ComparedSample[]>()
  for (const row of rows.toSorted((a, b) => Number(b.name === BASELINE) - Number(a.name === BASELINE))) {
    if (row.outcome.kind === 'measured') samples.set(row.name, row.outcome.samples)
  }
  return figuresOf(samples, work.at, work.columns.map(measureOf))
}

function measureOf(column: Column): Measure<ComparedSample> {
  const { key, metric, unit, better, scale = 1, hasDistribution = false } = column
  const of = ({ values }: ComparedSample): number | undefined => {
    const value = values[key]
    return value === undefined ? undefined : value * scale
  }
  const measure = { metric, unit, better, of }
  if (!hasDistribution) return measure
  return { ...measure, distribution: ({ distribution = Distribution.ofMicros([]) }) => distribution }
}
