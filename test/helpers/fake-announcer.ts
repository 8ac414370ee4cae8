/** Stands in for a shard that gets slabs and acknowledges them when the test says so. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SlabAnnouncer } from '../../engine/memory/region-allocator.js'
import type { SlabDescriptor } from '../../engine/protocol/slab-table.js'

export class FakeAnnouncer implements SlabAnnouncer {
  readonly added: SlabDescriptor[] = []
  readonly removed: number[] = []
  /** Ids of slabs that were added and not removed. */
  readonly current = new Set<number>()
  #waiting: { readonly slab: SlabDescriptor; readonly resolve: () => void }[] = []

  addSlab(slab: SlabDescriptor): Promise<void> {
    this.added.push(slab)
    this.current.add(slab.id)
    return new Promise((resolve) => {
      this.#waiting.push({ slab, resolve })
    })
  }

  removeSlab(id: number): void {
    if (!this.current.delete(id)) throw new Error(`slab ${String(id)} was removed without being there`)
    this.removed.push(id)
  }

  /** Announcements without an answer. */
  get pending(): number {
    return this.#waiting.length
  }

  /** Answers what is pending; resolves once every callback was called. */
  async acknowledge(which: (slab: SlabDescriptor) => boolean = () => true): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ slab }) => !which(slab))
    for (const { slab, resolve } of waiting) if (which(slab)) resolve()
    await nextTurn()
  }
}
