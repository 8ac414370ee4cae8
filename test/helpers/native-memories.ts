/** Native memory of each provider that is here, and of none other. */
import { findIn, thisHost, type MemoryHost } from '../../engine/native/find-native-memory.js'
import type { NativeMemory } from '../../engine/native/native-memory.js'
import type { SystemCalls } from '../../engine/native/system-calls.js'

type Provider = NativeMemory['provider']

const UNKNOWN_ADVICE = 10_000

const others: Readonly<Record<Provider, Partial<MemoryHost>>> = {
  koffi: { nodeFfi: () => undefined },
  'node:ffi': {
    koffi: () => {
      throw new Error('not this one')
    },
  },
}

/** Undefined where it is not to be had. */
export function memoryOf(provider: Provider): NativeMemory | undefined {
  return findIn({ ...thisHost(), ...others[provider] }).memory
}

/** As far as they are here. */
export const nativeMemories: readonly NativeMemory[] = (['koffi', 'node:ffi'] as const)
  .map((provider) => memoryOf(provider))
  .filter((memory) => memory !== undefined)

/** As `memoryOf()`, on a system that knows no memory by address: files are used by their descriptors. */
export function olderMemoryOf(provider: Provider): NativeMemory | undefined {
  const host = { ...thisHost(), ...others[provider] }
  return findIn({
    ...host,
    koffi: (platform) => older(host.koffi(platform)),
    nodeFfi: (platform) => {
      const calls = host.nodeFfi(platform)
      return calls && older(calls)
    },
  }).memory
}

function older(calls: SystemCalls): SystemCalls {
  const { own } = calls
  if (own.system !== 'linux') return calls
  // The system's own answer to what it does not know.
  const madvise: typeof own.madvise = (address, length) => own.madvise(address, length, UNKNOWN_ADVICE)
  return { ...calls, own: { ...own, madvise } }
}
