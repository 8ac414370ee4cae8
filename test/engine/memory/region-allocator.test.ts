import test from 'ava'
import fc from 'fast-check'
import { RegionAllocator } from '../../../engine/memory/region-allocator.js'
import { regionOffset } from '../../../engine/protocol/slab-table.js'
import { regionBytes, regionIdOf, sizeOfRegion, SLAB_BYTES } from '../../../engine/protocol/ring-layout.js'
import { FakeAnnouncer } from '../../helpers/fake-announcer.js'
import { FreshMemory } from '../../helpers/fresh-memory.js'
import { holds } from '../../helpers/property.js'

const MIB = 1_048_576

function create(): { announcer: FakeAnnouncer; memory: FreshMemory; regions: RegionAllocator } {
  const announcer = new FakeAnnouncer()
  const memory = new FreshMemory(SLAB_BYTES)
  return { announcer, memory, regions: new RegionAllocator(announcer, memory) }
}

function placeOf(regions: RegionAllocator, id: number): { slab: number; offset: number; bytes: number } {
  return { slab: regions.table.slabOf(id).id, offset: regionOffset(id), bytes: sizeOfRegion(id) }
}

test('no memory is taken before the first region', (t) => {
  const { announcer, regions } = create()
  t.is(regions.memoryBytes, 0)
  t.is(regions.regionsInUse, 0)
  t.deepEqual(announcer.added, [])
})

test('a slab carries eight mebibytes of regions, and is announced once', (t) => {
  const { announcer, regions } = create()
  const ids = Array.from({ length: 2048 }, () => regions.take(4096))
  t.is(announcer.added.length, 1)
  t.is(regions.memoryBytes, 8 * MIB)
  t.is(regions.bytesInUse, 8 * MIB)
  t.is(regions.regionsInUse, 2048)
  t.is(new Set(ids.map((id) => placeOf(regions, id).offset)).size, 2048)
  ids.push(regions.take(4096))
  t.is(announcer.added.length, 2)
  t.is(regions.memoryBytes, 16 * MIB)
})

test('one slab serves regions of every size', (t) => {
  const { announcer, regions } = create()
  for (const size of regionBytes.slice(0, -1)) t.is(placeOf(regions, regions.take(size)).bytes, size)
  t.is(announcer.added.length, 1)
  t.is(placeOf(regions, regions.take(8 * MIB)).bytes, 8 * MIB)
  t.is(announcer.added.length, 2, 'the largest region needs a slab for itself')
})

test('memory that small rings have used serves a large one, and the other way round', (t) => {
  const { announcer, regions } = create()
  for (const size of [4096, 8 * MIB, 32_768, 2_097_152, 8192]) {
    const ids = Array.from({ length: (8 * MIB) / size }, () => regions.take(size))
    for (const id of ids) regions.give(id)
  }
  t.is(announcer.added.length, 1)
})

test('no region has id 0, which means none', (t) => {
  const { regions } = create()
  for (const size of regionBytes) t.true(regions.take(size) > 0)
})

test('an unknown size is refused', (t) => {
  const { regions } = create()
  t.throws(() => regions.take(5000), { message: /no regions of 5000 bytes/ })
  t.throws(() => regions.takeKnown(0, () => undefined), { message: /no regions of 0 bytes/ })
})

test('regions in use never overlap, whatever is taken and given back', (t) => {
  const anyStep = fc.record({
    give: fc.boolean(),
    size: fc.constantFrom(4096, 32_768, 524_288, 2_097_152),
    which: fc.nat(1000),
  })
  holds(
    t,
    fc.property(fc.array(anyStep, { maxLength: 100, size: 'max' }), (steps) => {
      const { announcer, regions } = create()
      const held = new Map<number, number>()
      for (const { give, size, which } of steps) {
        const ids = [...held.keys()]
        const id = ids[which % Math.max(1, ids.length)]
        if (give && id !== undefined) {
          regions.give(id)
          held.delete(id)
        } else {
          const taken = regions.take(size)
          if (held.has(taken)) return false
          held.set(taken, size)
        }
        if (regions.regionsInUse !== held.size) return false
      }
      // Each held region can still be found, lies inside its slab, and its slab is known to the shard.
      const places: { readonly slab: number; readonly offset: number; readonly bytes: number }[] = []
      for (const [id, size] of held) {
        const place = placeOf(regions, id)
        const { slab, offset, bytes } = place
        if (bytes !== size || offset + bytes > regions.table.slabOf(id).memory.byteLength) return false
        if (!announcer.current.has(slab)) return false
        const overlaps = places.some(
          (other) => other.slab === slab && other.offset < offset + bytes && offset < other.offset + other.bytes,
        )
        if (overlaps) return false
        places.push(place)
      }
      const inUse = places.reduce((sum, { bytes }) => sum + bytes, 0)
      if (regions.bytesInUse !== inUse) return false
      for (const id of held.keys()) regions.give(id)
      return regions.regionsInUse === 0 && regions.bytesInUse === 0 && announcer.current.size <= 1
    }),
    100,
  )
})

test('a returned region is reused before a new slab is made', (t) => {
  const { announcer, regions } = create()
  const [first = 0] = Array.from({ length: 2048 }, () => regions.take(4096))
  regions.give(first)
  t.is(regions.take(4096), first)
  t.is(announcer.added.length, 1)
})

test('one empty slab is kept, further ones go back to the store', (t) => {
  const { announcer, memory, regions } = create()
  const ids = Array.from({ length: 5 }, () => regions.take(8 * MIB))
  t.is(regions.memoryBytes, 40 * MIB)
  for (const [i, id] of ids.entries()) {
    regions.give(id)
    t.is(announcer.removed.length, i)
    t.is(memory.given.length, i)
  }
  t.is(regions.regionsInUse, 0)
  t.is(regions.memoryBytes, 8 * MIB)
  t.is(regions.table.size, 1)
  t.is(announcer.current.size, 1)
  for (const { id } of announcer.added) {
    if (announcer.current.has(id)) t.notThrows(() => regions.table.slabOf(regionIdOf(id, 0, 0)))
    else t.throws(() => regions.table.slabOf(regionIdOf(id, 0, 0)))
  }
  regions.take(8 * MIB)
  t.is(announcer.added.length, 5, 'the kept one serves the next ring')
})

test('ids of slabs that have gone are reused: there are few ids', (t) => {
  const { announcer, regions } = create()
  const kept = regions.take(8 * MIB)
  for (let i = 0; i < 1000; i++) {
    const ids = [regions.take(8 * MIB), regions.take(8 * MIB)]
    for (const id of ids) regions.give(id)
  }
  t.true(announcer.added.length > 1000)
  t.true(Math.max(...announcer.added.map(({ id }) => id)) <= 3)
  t.notThrows(() => regions.table.slabOf(kept))
})

test('a slab with a region in use is kept', (t) => {
  const { announcer, regions } = create()
  const slabs = Array.from({ length: 4 }, () => Array.from({ length: 4 }, () => regions.take(2_097_152)))
  for (const [first = 0] of slabs) regions.give(first)
  t.deepEqual(announcer.removed, [])
  for (const [, second = 0] of slabs) t.notThrows(() => regions.table.slabOf(second))
})

test('all memory goes back in the end, also what was in use', (t) => {
  const { memory, regions } = create()
  regions.take(4096)
  regions.take(8 * MIB)
  regions.dispose()
  t.is(memory.given.length, 2)
  t.is(new Set(memory.given).size, 2)
  t.is(regions.memoryBytes, 0)
  t.is(regions.table.size, 0)
})

test('when memory runs out nothing is taken, and a later request can succeed', (t) => {
  const { announcer, regions, memory } = create()
  const take = memory.take.bind(memory)
  memory.take = () => {
    throw new RangeError('Array buffer allocation failed')
  }
  t.throws(() => regions.take(4096), { instanceOf: RangeError })
  t.throws(() => regions.takeKnown(4096, () => t.fail()), { instanceOf: RangeError })
  t.is(regions.regionsInUse, 0)
  t.is(regions.memoryBytes, 0)
  t.deepEqual(announcer.added, [])
  memory.take = take
  t.true(regions.take(4096) > 0)
})

test('a region of a slab that has gone cannot be given back again', (t) => {
  const { announcer, regions } = create()
  const ids = Array.from({ length: 3 }, () => regions.take(8 * MIB))
  for (const id of ids) regions.give(id)
  t.is(announcer.removed.length, 2)
  t.throws(() => regions.give(ids[0] ?? 0), { message: /given back twice/ })
  t.is(regions.regionsInUse, 0)
})

test('a region cannot be given back as one of another size', (t) => {
  const { regions } = create()
  const id = regions.take(8192)
  t.throws(() => regions.give(id - 1), { message: /given back twice/ })
  t.is(regions.regionsInUse, 1)
})

test('a region of a slab that is still there cannot be given back twice', (t) => {
  const { regions } = create()
  const id = regions.take(4096)
  regions.take(4096)
  regions.give(id)
  t.throws(() => regions.give(id), { message: /given back twice/ })
})

test('a region is known only once the shard has its slab', async (t) => {
  const { announcer, regions } = create()
  let known = 0
  t.is(
    regions.takeKnown(8192, () => known++),
    undefined,
  )
  t.is(announcer.added.length, 1)
  t.is(regions.regionsInUse, 0)
  t.is(
    regions.takeKnown(8192, () => known++),
    undefined,
    'not yet announced',
  )
  t.is(announcer.added.length, 1, 'one announcement serves both')
  t.is(known, 0)
  await announcer.acknowledge()
  t.is(known, 2)
  const id = regions.takeKnown(8192, () => t.fail())
  t.is(placeOf(regions, id ?? 0).bytes, 8192)
  t.is(regions.regionsInUse, 1)
})

test('no callback comes for a slab that a lost shard never acknowledges', async (t) => {
  const { announcer, regions } = create()
  t.is(
    regions.takeKnown(8 * MIB, () => t.fail()),
    undefined,
  )
  regions.take(8 * MIB)
  regions.take(4096)
  await announcer.acknowledge(({ id }) => id === 2)
  t.is(
    regions.takeKnown(8 * MIB, () => t.fail()),
    undefined,
  )
})

test('a region that is sent with a control call need not be known to the shard', (t) => {
  const { announcer, regions } = create()
  t.is(placeOf(regions, regions.take(4096)).bytes, 4096)
  t.is(announcer.pending, 1)
})

test('a known slab with room is preferred to one that is not known', async (t) => {
  const { announcer, regions } = create()
  const first = regions.take(8 * MIB)
  await announcer.acknowledge()
  regions.take(524_288)
  t.is(announcer.added.length, 2, 'the second slab is not known and has room')
  regions.give(first)
  const known = regions.takeKnown(524_288, () => t.fail()) ?? 0
  t.is(placeOf(regions, known).slab, 1)
})

test('a slab whose room was all taken meanwhile leads to another announcement', async (t) => {
  const { announcer, regions } = create()
  let known = 0
  regions.takeKnown(8 * MIB, () => known++)
  // A lane takes the only region before the shard has answered.
  regions.take(8 * MIB)
  await announcer.acknowledge()
  t.is(known, 1)
  t.is(
    regions.takeKnown(8 * MIB, () => known++),
    undefined,
  )
  t.is(announcer.added.length, 2)
  await announcer.acknowledge()
  t.is(known, 2)
  t.not(
    regions.takeKnown(8 * MIB, () => t.fail()),
    undefined,
  )
})
