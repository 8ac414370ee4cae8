/** Native memory of each provider that is here, and of none other. */
import { findIn, thisHost, type MemoryHost } from '../../engine/native/find-native-memory.js'
import type { NativeMemory } from '../../engine/native/native-memory.js'

type Provider = NativeMemory['provider']

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

/** As on systems whose files in memory have names. */
export function withoutMemfd(memory: NativeMemory): NativeMemory {
  return {
    provider: memory.provider,
    hasMemfd: false,
    createMemfd: (name) => memory.createMemfd(name),
    sealSize: (fd) => memory.sealSize(fd),
    isSizeSealed: (fd) => memory.isSizeSealed(fd),
    reserve: (fd, offset, length) => memory.reserve(fd, offset, length),
    discard: (fd, offset, length) => memory.discard(fd, offset, length),
    map: (fd, length) => memory.map(fd, length),
    peerOf: (socket) => memory.peerOf(socket),
  }
}
