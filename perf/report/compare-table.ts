/** One row a peer, what it cannot do below, and at the end who wins. */
import { medianOf, spreadOf } from '../harness/rounds.js'
import type { Column, ComparedRow, ComparedSample, ComparedTable } from '../scenarios/compared-works.js'
import type { Figure } from './figure.js'
import { figure, table, times } from './table.js'
import { timesBetter, winnerLines } from './winner.js'

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
  const cells = work.columns.map(({ key, digits }) => figure(medianOf(samples, ({ values }) => values[key]), digits))
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

/** Whether no row is wrong or has failed. */
export function isAllRight({ rows }: ComparedTable): boolean {
  return rows.every((row) => ['right', '-'].includes(counts(row)))
}

/** Of each row that was measured: `net` is what the others are compared with. */
export function figuresOf({ work, rows }: ComparedTable): readonly Figure[] {
  return rows.flatMap(({ name, outcome }) => {
    if (outcome.kind !== 'measured') return []
    return work.columns.flatMap(({ key, metric, unit, better, scale = 1 }): Figure[] => {
      const samples = outcome.samples.map(({ values }) => values[key]).filter((value) => value !== undefined)
      if (samples.length === 0) return []
      const isBaseline = name === 'net'
      const scaled = samples.map((value) => value * scale)
      return [{ metric, unit, better, contender: name, isBaseline, at: work.at, samples: scaled }]
    })
  })
}
