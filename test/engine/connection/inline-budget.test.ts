/** Which connections have a duplicate of their socket on main. */
import test from 'ava'
import { Ledger } from '../../../engine/common/ledger.js'
import { InlineBudget } from '../../../engine/connection/inline-budget.js'
import type { PlaceHolder } from '../../../engine/connection/places.js'

const MOST = 64
const UNUSED_AFTER = 1_024

/** A connection that gives its duplicate up when it is told to. */
class Holder implements PlaceHolder {
  lastUse = 0
  yields = 0
  readonly #budget: InlineBudget

  constructor(budget: InlineBudget) {
    this.#budget = budget
  }

  giveWay(): void {
    this.yields++
    this.#budget.release(this)
  }
}

function at(holders: readonly Holder[], index: number): Holder {
  const holder = holders[index]
  if (holder === undefined) throw new Error(`there is no holder ${String(index)}`)
  return holder
}

function fullBudget(): { ledger: Ledger; budget: InlineBudget; holders: readonly Holder[]; another: Holder } {
  const ledger = new Ledger()
  const budget = new InlineBudget(ledger)
  const holders = Array.from({ length: MOST }, () => new Holder(budget))
  for (const holder of holders) if (!budget.admit(holder)) throw new Error('there was no room')
  return { ledger, budget, holders, another: new Holder(budget) }
}

test('64 connections have a duplicate, and one more does not', (t) => {
  const { ledger, budget, another } = fullBudget()
  t.false(budget.admit(another))
  t.is(ledger.snapshot().byKind.duplicates.open, MOST)
})

test('one that is given back makes room for another', (t) => {
  const { ledger, budget, holders, another } = fullBudget()
  budget.release(at(holders, 7))
  t.true(budget.admit(another))
  t.false(budget.admit(at(holders, 7)))
  t.deepEqual(ledger.snapshot().byKind.duplicates, { opened: MOST + 1, released: 1, open: MOST })
})

test('one is given up once it was unused during 1,024 uses of the others, and not before', (t) => {
  const { ledger, budget, holders, another } = fullBudget()
  const [unused, ...others] = holders
  for (let i = 0; i < UNUSED_AFTER - 1; i++) budget.used(at(others, i % others.length))
  t.false(budget.admit(another))
  budget.used(at(others, 0))
  t.true(budget.admit(another))
  t.deepEqual(
    holders.map(({ yields }) => yields),
    holders.map((holder) => (holder === unused ? 1 : 0)),
  )
  t.is(ledger.snapshot().byKind.duplicates.open, MOST)
})

test('of those that were unused for so long the one that was unused longest is given up', (t) => {
  const { budget, holders, another } = fullBudget()
  const busy = at(holders, 0)
  const others = holders.slice(1)
  const longest = at(others, 40)
  for (const holder of others) if (holder !== longest) budget.used(holder)
  for (let i = 0; i < 2 * UNUSED_AFTER; i++) budget.used(busy)
  t.true(budget.admit(another))
  t.is(longest.yields, 1)
  t.is(
    holders.reduce((sum, { yields }) => sum + yields, 0),
    1,
  )
  // The one that has come is as good as used.
  t.true(budget.admit(longest))
  t.is(another.yields, 0)
})

test('where all are used none is given up, however many ask', (t) => {
  const { budget, holders } = fullBudget()
  for (let i = 0; i < 100 * UNUSED_AFTER; i++) {
    budget.used(at(holders, i % MOST))
    if (i % 1_000 === 0) t.false(budget.admit(new Holder(budget)))
  }
  t.is(
    holders.reduce((sum, { yields }) => sum + yields, 0),
    0,
  )
})

test('what was admitted is in the ledger until it is given back, once', (t) => {
  const { ledger, budget, holders } = fullBudget()
  for (const holder of holders) budget.release(holder)
  for (const holder of holders) budget.release(holder)
  budget.release(new Holder(budget))
  t.deepEqual(ledger.report().byKind.duplicates, { opened: MOST, released: MOST })
  t.is(ledger.report().leaked, 0)
})
