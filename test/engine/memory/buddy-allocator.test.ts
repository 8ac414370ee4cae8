import test from 'ava'
import fc from 'fast-check'
import { BuddyAllocator } from '../../../engine/memory/buddy-allocator.js'
import { UNITS_PER_SLAB } from '../../../engine/protocol/ring-layout.js'
import { holds } from '../../helpers/property.js'

const WHOLE = 11

test('the memory is one block, and one block again after all its parts are given back', (t) => {
  t.is(2 ** WHOLE, UNITS_PER_SLAB)
  const buddy = new BuddyAllocator()
  t.true(buddy.isEmpty)
  t.is(buddy.take(WHOLE), 0)
  t.is(buddy.take(0), undefined)
  t.false(buddy.hasRoom(0))
  t.true(buddy.give(0, WHOLE))
  const units = Array.from({ length: UNITS_PER_SLAB }, () => buddy.take(0))
  t.deepEqual(
    units,
    Array.from({ length: UNITS_PER_SLAB }, (_, unit) => unit),
    'the lowest first',
  )
  for (const unit of units) t.true(buddy.give(unit ?? -1, 0))
  t.true(buddy.isEmpty)
  t.is(buddy.take(WHOLE), 0)
})

test('a block that was not taken in this form cannot be given back', (t) => {
  const buddy = new BuddyAllocator()
  t.false(buddy.give(0, 0))
  const unit = buddy.take(3) ?? -1
  t.false(buddy.give(unit, 2))
  t.false(buddy.give(unit + 1, 3))
  t.true(buddy.give(unit, 3))
  t.false(buddy.give(unit, 3))
  t.true(buddy.isEmpty)
})

test('blocks never overlap and are aligned to their size, and there is room exactly where a model has it', (t) => {
  const anyStep = fc.record({ give: fc.boolean(), order: fc.nat(WHOLE), which: fc.nat(1000) })
  holds(
    t,
    fc.property(fc.array(anyStep, { maxLength: 200, size: 'max' }), (steps) => {
      const buddy = new BuddyAllocator()
      const held = new Map<number, number>()
      const used = new Uint8Array(UNITS_PER_SLAB)
      const isFree = (unit: number, order: number): boolean =>
        used.subarray(unit, unit + 2 ** order).every((use) => use === 0)
      for (const { give, order, which } of steps) {
        const units = [...held.keys()]
        const unit = units[which % Math.max(1, units.length)]
        if (give && unit !== undefined) {
          const size = held.get(unit) ?? 0
          if (!buddy.give(unit, size)) return false
          used.fill(0, unit, unit + 2 ** size)
          held.delete(unit)
          continue
        }
        const places = Array.from({ length: UNITS_PER_SLAB >> order }, (_, i) => i << order)
        const hasRoom = places.some((place) => isFree(place, order))
        if (buddy.hasRoom(order) !== hasRoom) return false
        const taken = buddy.take(order)
        if ((taken !== undefined) !== hasRoom) return false
        if (taken === undefined) continue
        if (taken % 2 ** order !== 0 || !isFree(taken, order)) return false
        used.fill(1, taken, taken + 2 ** order)
        held.set(taken, order)
      }
      for (const [unit, order] of held) if (!buddy.give(unit, order)) return false
      return buddy.isEmpty
    }),
    100,
  )
})
