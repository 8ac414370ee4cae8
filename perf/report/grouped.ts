/** The self-check's table for 80 columns: what rows have in common stands above them. */

/** Longer names are split. */
const LONGEST_NAME = 26

/** `rows`: their first cell is a name like `round trip, 64 B, mean`. Those of one cell stay as they are. */
export function grouped(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  let above: string | undefined
  return rows.flatMap((row) => {
    const [name = '', ...cells] = row
    const end = name.lastIndexOf(', ')
    if (row.length === 1 || end === -1 || name.length <= LONGEST_NAME) {
      above = undefined
      return [row]
    }
    const heading = name.slice(0, end)
    const isNew = heading !== above
    above = heading
    return [...(isNew ? [[heading]] : []), [`  ${name.slice(end + 2)}`, ...cells]]
  })
}
