/** A table that fits: where it is too wide, the first column gives way. */
const BETWEEN = ' '

/** Lines. `texts`: so many columns stand at the left, the others at the right. */
export function layOut(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
  texts: number,
): string[] {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)))
  const all = widths.reduce((sum, width) => sum + width, BETWEEN.length * (widths.length - 1))
  const first = Math.max(1, (widths[0] ?? 0) - Math.max(0, all - columns))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = column === 0 ? first : (widths[column] ?? 0)
        const shown = cell.length <= width ? cell : `…${cell.slice(cell.length - width + 1)}`
        return column < texts ? shown.padEnd(width) : shown.padStart(width)
      })
      .join(BETWEEN)
      .trimEnd()
  return [line(head), ...rows.map(line)]
}
