/** What was opened and released, also by those who count for themselves. */
import test from 'ava'
import { Ledger } from '../../../engine/common/ledger.js'

test('what a source counts is added to what is counted here', (t) => {
  const ledger = new Ledger()
  let opened = 2
  ledger.addSource(() => ({ lanes: { opened, released: 1 } }))
  ledger.addSource(() => ({ lanes: { opened: 10, released: 10 }, regions: { opened: 3, released: 0 } }))
  ledger.open('lanes', 4)
  ledger.release('lanes')
  const { byKind, ...sums } = ledger.snapshot()
  t.deepEqual(byKind.lanes, { opened: 16, released: 12, open: 4 })
  t.deepEqual(byKind.regions, { opened: 3, released: 0, open: 3 })
  t.deepEqual(sums, { opened: 19, released: 12, open: 7 })
  opened = 3
  t.is(ledger.snapshot().byKind.lanes.open, 5, 'a source is asked each time')
})

test('a report of what sources have released has nothing leaked', (t) => {
  const ledger = new Ledger()
  ledger.addSource(() => ({ connections: { opened: 5, released: 5 } }))
  const { leaked, opened, byKind } = ledger.report()
  t.deepEqual([leaked, opened], [0, 5])
  t.deepEqual(byKind.connections, { opened: 5, released: 5 })
  ledger.addSource(() => ({ lanes: { opened: 1, released: 0 } }))
  t.is(ledger.report().leaked, 1)
})
