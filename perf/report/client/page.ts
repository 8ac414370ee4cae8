/** What the page does in a browser: it draws charts and sorts tables. */
import { drawCharts } from './drawing.js'
import { makeSortable } from './sorting.js'

for (const table of document.querySelectorAll<HTMLTableElement>('table.sortable')) makeSortable(table)
drawCharts()
