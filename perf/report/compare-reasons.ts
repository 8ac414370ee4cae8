/** Why another is ahead of the engine, where that is known. */
import type { WorkName } from '../harness/peer-catalogue.js'
import type { ComparedRow } from '../scenarios/compared-works.js'

interface Reason {
  readonly work: readonly WorkName[]
  readonly ours: 'sockets' | 'shm' | 'any'
  readonly others: readonly string[]
  readonly why: string
}

const reasons: readonly Reason[] = []

export function reasonFor(work: WorkName, own: ComparedRow, other: ComparedRow): string | undefined {
  const carried = own.ours === 'shm' ? 'shm' : 'sockets'
  return reasons.find((reason) => {
    const isOverThat = reason.ours === 'any' || reason.ours === carried
    return isOverThat && reason.work.includes(work) && reason.others.includes(other.name)
  })?.why
}
