/** Tables that are sorted by a press on a column's head; a second press turns the order. */

type Order = 'ascending' | 'descending'

export function makeSortable(table: HTMLTableElement): void {
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])]
  heads.forEach((head, column) => {
    head.querySelector('button')?.addEventListener('click', () => {
      const order: Order = head.ariaSort === 'ascending' ? 'descending' : 'ascending'
      for (const other of heads) other.ariaSort = other === head ? order : 'none'
      sort(table, column, order)
    })
  })
}

function sort(table: HTMLTableElement, column: number, order: Order): void {
  const [body] = table.tBodies
  if (body === undefined) return
  const rows = [...body.rows].map((row) => ({ row, key: row.cells[column]?.dataset['key'] }))
  rows.sort((one, other) => {
    // What has no value comes last in either order.
    if (one.key === undefined || other.key === undefined) {
      return Number(one.key === undefined) - Number(other.key === undefined)
    }
    const difference = compareKeys(one.key, other.key)
    return order === 'ascending' ? difference : -difference
  })
  body.append(...rows.map(({ row }) => row))
}

function compareKeys(one: string, other: string): number {
  const [first, second] = [Number(one), Number(other)]
  return Number.isNaN(first) || Number.isNaN(second) ? one.localeCompare(other, 'en') : first - second
}
