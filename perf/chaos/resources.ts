/**
 * Compares the host's threads, descriptors, children and connections with what it had before: nothing may be left over.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { canCountResources, processResources, type ProcessResources } from '../harness/resource-counts.js'
import type { World } from './world.js'

/** The system does not announce when it has removed a thread or a process from its books, so this polls. */
const LOOK_AGAIN_MS = 3
const LOOKS = 20

export interface Holdings extends ProcessResources {
  readonly connections: number
  readonly listeners: number
  readonly pendingConnects: number
}

export function holdingsOf({ engine }: World): Holdings {
  const { connections, listeners, pendingConnects, ledger, sharedMemory } = engine.stats()
  const system = canCountResources ? processResources() : { threads: 0, descriptors: 0, children: 0, zombies: 0 }
  // Connections have a duplicate each, or none, as they happen to need one; those through shared memory have no other
  // descriptor, and one that fell back to its socket has.
  const descriptors = system.descriptors - ledger.byKind.duplicates.open + sharedMemory.connections
  return { ...system, descriptors, connections, listeners, pendingConnects }
}

/** What there is when no duplicate is on its way: one that is counts as one already. */
export async function settledHoldings(world: World): Promise<Holdings> {
  let settled = holdingsOf(world)
  for (let look = 0; look < LOOKS; look++) {
    await pause(LOOK_AGAIN_MS)
    const now = holdingsOf(world)
    if (now.descriptors > settled.descriptors) settled = now
  }
  return settled
}

/** Resolves once every worker thread that has died is replaced, and serves what the one before it did. */
export async function allUp({ engine, targets }: World): Promise<void> {
  const isUp = (): boolean => {
    const { shards, ledger } = engine.stats()
    const serving = targets.has('handlers') ? shards.length : 0
    return shards.every(({ state }) => state === 'up') && ledger.byKind.handlers.open >= serving
  }
  while (!isUp()) await pause(LOOK_AGAIN_MS)
}

/** Resolves once there is no more of anything than before. The system removes what has ended a little later. */
export async function backTo(before: Holdings, world: World): Promise<void> {
  while (surplus(before, holdingsOf(world)).length > 0) await pause(LOOK_AGAIN_MS)
}

/** What there is more of than before, in words. */
export function surplus(before: Holdings, now: Holdings): string[] {
  return (Object.keys(before) as (keyof Holdings)[])
    .filter((kind) => now[kind] > before[kind])
    .map((kind) => `${kind}: ${String(now[kind])} instead of ${String(before[kind])}`)
}

/** Resident memory, and heap and buffers, in bytes, once garbage is gone. Run with --expose-gc. */
export async function memoryInUse(): Promise<{ readonly resident: number; readonly own: number }> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.()
    // Finalizers need turns of the event loop in between.
    for (let turn = 0; turn < 3; turn++) await nextTurn()
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return { resident: rss, own: heapUsed + external + arrayBuffers }
}
