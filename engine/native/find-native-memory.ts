/** Stand-in. */
import type { NativeMemory } from './native-memory.js'

export type NativeFinding = { readonly memory: NativeMemory } | { readonly reason: string }

export function findNativeMemory(): Promise<NativeFinding> {
  return Promise.resolve({ reason: 'stand-in' })
}
