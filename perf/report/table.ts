/** Plain text tables. A row of one cell is a line across them. */
import process from 'node:process'
import { wrap } from '../../api/cli/options/columns.js'

const BETWEEN = '  '

/**
 * `columns`: of the terminal; a file has any number. Where they do not suffice, heads are broken into lines, and then
 * the table into several, each with the first column.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number = process.stdout.isTTY ? process.stdout.columns : Infinity,
): string {
  const cells = head.map((_, column) => Math.max(0, ...rows.map((row) => widthOf(row, column))))
  const whole = cells.map((width, column) => Math.max(width, widthOf(head, column)))
  const isWide = sumOf(whole) > columns
  const heads = head.map((text, column) => (isWide ? wrap(text, cells[column] ?? 0) : [text]))
  const widths = cells.map((width, column) => Math.max(width, ...(heads[column] ?? []).map((line) => line.length)))
  return partsOf(widths, columns)
    .map((part) => partOf(part, heads, rows, widths))
    .join('\n\n')
}

function partOf(
  part: readonly number[],
  heads: readonly (readonly string[])[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string {
  const line = (row: readonly string[]): string => {
    if (row.length === 1) return row.join()
    return part
      .map((column) => {
        const [cell, width] = [row[column] ?? '', widths[column] ?? 0]
        return column === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join(BETWEEN)
  }
  const height = Math.max(...part.map((column) => heads[column]?.length ?? 0))
  // The last words stand above the figures.
  const headLines = Array.from({ length: height }, (_, at) =>
    line(heads.map((lines) => lines[at - height + lines.length] ?? '')),
  )
  const rule = part.map((column) => '-'.repeat(widths[column] ?? 0)).join(BETWEEN)
  return [...headLines, rule, ...rows.map(line)].join('\n')
}

/** Columns of each part, the first column in all of them. */
function partsOf(widths: readonly number[], columns: number): readonly (readonly number[])[] {
  const parts: number[][] = []
  for (const column of widths.keys()) {
    const last = parts.at(-1)
    const fits = last !== undefined && sumOf([...last, column].map((each) => widths[each] ?? 0)) <= columns
    if (last !== undefined && (fits || last.length === 1)) last.push(column)
    else parts.push(column === 0 ? [0] : [0, column])
  }
  return parts
}

function sumOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, (widths.length - 1) * BETWEEN.length)
}

function widthOf(row: readonly string[], column: number): number {
  return row.length === 1 ? 0 : (row[column] ?? '').length
}

/** The line below a table whose figures are not those of shared memory. */
export function fallbackLine(fallback: string | undefined): string {
  return fallback === undefined ? '' : `NOT over shared memory: ${fallback}\n`
}

export function figure(value: number | undefined, digits = 1): string {
  return value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits)
}

export function times(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '-' : `${value.toFixed(2)}x`
}
