import test from 'ava'
import fc from 'fast-check'
import { RegionAllocator } from '../../../engine/shard/region-allocator.js'
import { regionOffset } from '../../../engine/shared/region.js'
import { regionBytes, REGIONS_PER_SLAB } from '../../../engine/shared/ring-layout.js'
import { FakeAnnouncer } from '../../helpers/fake-announcer.js'
import { holds } from '../../helpers/property.js'

const MIB = 1_048_576

function create(): { announcer: FakeAnnouncer; regions: RegionAllocator } {
  const announcer = new FakeAnnouncer()
  return { announcer, regions: new RegionAllocator(announcer) }
}

function placeOf(regions: RegionAllocator, id: number): { slab: number; offset: number; bytes: number } {
  const slab = regions.table.slabOf(id)
  return { slab: slab.id, offset: regionOffset(id, slab), bytes: slab.regionBytes }
}

test('no memory is taken before a region is', (t) => {
  const { announcer, regions } = create()
  t.is(regions.memoryBytes, 0)
  t.is(regions.regionsInUse, 0)
  t.deepEqual(announcer.added, [])
})

test('a slab carries a mebibyte of regions of one size, and is announced once', (t) => {
  const { announcer, regions } = create()
  const ids = Array.from({ length: 256 }, () => regions.take(4096))
  t.is(announcer.added.length, 1)
  t.is(regions.memoryBytes, MIB)
  t.is(regions.regionsInUse, 256)
  t.is(new Set(ids.map((id) => placeOf(regions, id).offset)).size, 256)
  ids.push(regions.take(4096))
  t.is(announcer.added.length, 2)
  t.is(regions.memoryBytes, 2 * MIB)
})

test('regions larger than a mebibyte have a slab each', (t) => {
  const { announcer, regions } = create()
  regions.take(2_097_152)
  regions.take(8_388_608)
  t.deepEqual(
    announcer.added.map(({ memory }) => memory.byteLength),
    [2_097_152, 8_388_608],
  )
})

test('a slab of another size is another slab', (t) => {
  const { announcer, regions } = create()
  for (const size of regionBytes) {
    const id = regions.take(size)
    t.is(placeOf(regions, id).bytes, size)
  }
  t.is(announcer.added.length, regionBytes.length)
  t.is(new Set(announcer.added.map(({ id }) => id)).size, regionBytes.length)
})

test('no region has id 0, which means none', (t) => {
  const { regions } = create()
  for (const size of regionBytes) t.true(regions.take(size) >= REGIONS_PER_SLAB)
})

test('a size that there is not is refused', (t) => {
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
      const places = new Set<string>()
      for (const [id, size] of held) {
        const { slab, offset, bytes } = placeOf(regions, id)
        if (bytes !== size || offset + bytes > regions.table.slabOf(id).memory.byteLength) return false
        if (!announcer.current.has(slab)) return false
        places.add(`${String(slab)}:${String(offset)}`)
      }
      for (const id of held.keys()) regions.give(id)
      return places.size === held.size && regions.regionsInUse === 0
    }),
    100,
  )
})

test('a region that was given back is taken again before a new slab is made', (t) => {
  const { announcer, regions } = create()
  const [first = 0] = Array.from({ length: 256 }, () => regions.take(4096))
  regions.give(first)
  t.is(regions.take(4096), first)
  t.is(announcer.added.length, 1)
})

test('two empty slabs of a size are kept, further ones are dropped', (t) => {
  const { announcer, regions } = create()
  const ids = Array.from({ length: 5 }, () => regions.take(2_097_152))
  t.is(regions.memoryBytes, 10 * MIB)
  for (const [i, id] of ids.entries()) {
    regions.give(id)
    t.is(announcer.removed.length, Math.max(0, i - 1))
  }
  t.is(regions.regionsInUse, 0)
  t.is(regions.memoryBytes, 4 * MIB)
  t.is(regions.table.size, 2)
  t.is(announcer.current.size, 2)
  for (const { id } of announcer.added) {
    if (announcer.current.has(id)) t.notThrows(() => regions.table.slabOf(id * REGIONS_PER_SLAB))
    else t.throws(() => regions.table.slabOf(id * REGIONS_PER_SLAB))
  }
  regions.take(2_097_152)
  regions.take(2_097_152)
  t.is(announcer.added.length, 5, 'the kept ones serve the next rings')
})

test('a slab with a region in use is not dropped', (t) => {
  const { announcer, regions } = create()
  const slabs = Array.from({ length: 4 }, () => [regions.take(524_288), regions.take(524_288)] as const)
  for (const [first] of slabs) regions.give(first)
  t.deepEqual(announcer.removed, [])
  for (const [, second] of slabs) t.notThrows(() => regions.table.slabOf(second))
})

test('a region of a slab that was dropped cannot be given back again', (t) => {
  const { announcer, regions } = create()
  const ids = Array.from({ length: 3 }, () => regions.take(2_097_152))
  for (const id of ids) regions.give(id)
  t.is(announcer.removed.length, 1)
  t.throws(() => regions.give((announcer.removed[0] ?? 0) * REGIONS_PER_SLAB), {
    message: /given back twice/,
  })
  t.is(regions.regionsInUse, 0)
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

test('nobody is called back for a slab that a lost shard never acknowledges', async (t) => {
  const { announcer, regions } = create()
  t.is(
    regions.takeKnown(8192, () => t.fail()),
    undefined,
  )
  regions.take(4096)
  await announcer.acknowledge((slab) => slab.regionBytes === 4096)
  t.is(
    regions.takeKnown(8192, () => t.fail()),
    undefined,
  )
})

test('a region that travels with a control call need not be known', (t) => {
  const { announcer, regions } = create()
  t.is(placeOf(regions, regions.take(4096)).bytes, 4096)
  t.is(announcer.pending, 1)
})

test('a known slab with room is preferred to one that is not known', async (t) => {
  const { announcer, regions } = create()
  const first = regions.take(524_288)
  regions.take(524_288)
  await announcer.acknowledge()
  regions.take(524_288)
  t.is(announcer.added.length, 2, 'the second slab is not known and has room')
  regions.give(first)
  t.is(
    regions.takeKnown(524_288, () => t.fail()),
    first,
  )
})

test('a slab whose regions were all taken meanwhile leads to another announcement', async (t) => {
  const { announcer, regions } = create()
  let known = 0
  regions.takeKnown(2_097_152, () => known++)
  // A lane takes the only region before the shard has answered.
  regions.take(2_097_152)
  await announcer.acknowledge()
  t.is(known, 1)
  t.is(
    regions.takeKnown(2_097_152, () => known++),
    undefined,
  )
  t.is(announcer.added.length, 2)
  await announcer.acknowledge()
  t.is(known, 2)
  t.not(
    regions.takeKnown(2_097_152, () => t.fail()),
    undefined,
  )
})
