/** Base and head, the ratio of both with its interval, and the verdict in words. */
import type { DiffReport, DiffRow } from '../scenarios/diff.js'
import { inWords } from './change.js'
import type { Figure } from './figure.js'
import { figure, table } from './table.js'

const HEAD = ['metric', 'conditions', 'base', 'head', 'head / base', '95 %', 'net varies', 'verdict']

export function diffTable({ rows, margin, skipped, failures }: DiffReport): string {
  const cells = rows.map((row) => [
    row.metric,
    conditions(row.at),
    amount(row.base, row.unit),
    amount(row.head, row.unit),
    figure(row.interval.median, 3),
    row.interval.low === 0 ? '-' : `${figure(row.interval.low, 3)} to ${figure(row.interval.high, 3)}`,
    percent(row.netVaries),
    inWords(row.change),
  ])
  const lines = [
    ...skipped.map((line) => `NOT measured: ${line}`),
    ...failures.map((line) => `FAILED: ${line}`),
    summary(rows, margin),
  ]
  return `\n${table(HEAD, cells)}\n${lines.join('\n')}\n`
}

/** Whether something got worse by more than the margin. */
export function isWorse({ rows }: Pick<DiffReport, 'rows'>): boolean {
  return rows.some(({ change }) => change.kind === 'slower')
}

function summary(rows: readonly DiffRow[], margin: number): string {
  const of = (kind: DiffRow['change']['kind']): DiffRow[] => rows.filter(({ change }) => change.kind === kind)
  const [slower, faster, same, untold] = [of('slower'), of('faster'), of('same'), of('untold')]
  const counts = [
    ...(faster.length === 0 ? [] : [`${String(faster.length)} faster`]),
    `${String(same.length)} the same`,
    `${String(untold.length)} cannot be told`,
  ]
  const by = `by more than ${String(Math.round(margin * 1_000) / 10)} %`
  if (rows.length === 0) return 'Nothing was measured.'
  if (slower.length === 0) return `Nothing is known to be slower ${by}: ${counts.join(', ')}.`
  const names = slower.map(({ metric, at }) => `${metric} (${conditions(at)})`)
  return `SLOWER ${by}: ${names.join('; ')}. Of the others: ${counts.join(', ')}.`
}

/** `64 B, shm, 10 connections`. */
function conditions(at: Figure['at']): string {
  return Object.entries(at)
    .map(([name, value]) => {
      if (typeof value === 'string') return value
      return name === 'bytes' ? `${String(value)} B` : `${String(value)} ${name}`
    })
    .join(', ')
}

function amount(value: number, unit: Figure['unit']): string {
  return `${value >= 1_000 ? Math.round(value).toLocaleString('en') : figure(value)} ${unit}`
}

function percent(share: number): string {
  return Number.isNaN(share) ? '-' : `${figure(share * 100, 0)} %`
}
