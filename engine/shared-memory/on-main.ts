/** What the shared memory of a main thread is, and that of a shard is not. */
import { isMainThread } from 'node:worker_threads'
import { findNativeMemory, type FoundMemory } from '../native/find-native-memory.js'

/** Another thread cannot have a descriptor of its own for long: see docs/decisions/descriptors.md. */
const NOT_MAIN = 'the engine runs in a worker thread: create it on the main thread'

/** `find`: for tests. Default: whatever there is. */
export function findOnMain(find: () => Promise<FoundMemory> = findNativeMemory): Promise<FoundMemory> {
  return isMainThread ? find() : Promise.resolve({ reason: NOT_MAIN })
}

export const onMain = { idPrefix: '', onTaken: undefined, run: undefined } as const
