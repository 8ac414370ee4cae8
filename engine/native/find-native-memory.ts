/** Finds what makes the system calls of shared memory, when somebody asks for shared memory for the first time. */
import process from 'node:process'
import { passesDescriptors } from '../protocol/runtime.js'
import { systemErrorOf } from '../protocol/system-errno.js'
import { loadKoffiCalls } from './koffi-calls.js'
import type { NativeMemory, ThreadMemory } from './native-memory.js'
import { isElectron, notByNodeFfi, notInDeno, onlyElsewhere, withoutKoffi } from './no-native-memory.js'
import { loadNodeFfiCalls } from './node-ffi-calls.js'
import { partMemoryOf } from './part-memory.js'
import { platformOf, type Platform } from './platform.js'
import type { SystemCalls } from './system-calls.js'
import { SystemMemory } from './system-memory.js'

/** Either the memory, or a sentence without a full stop: why there is none, and what to do about it. */
export type FoundMemory<Memory extends NativeMemory = NativeMemory> =
  { readonly memory: Memory; readonly reason?: undefined } | { readonly memory?: undefined; readonly reason: string }

/** What it depends on. */
export interface MemoryHost {
  readonly system: string
  readonly arch: string
  readonly isElectron: boolean
  /** False where the permission model forbids them. */
  readonly mayAddons: boolean
  readonly koffi: (platform: Platform) => SystemCalls
  /** Undefined: there is none, or it is not allowed. */
  readonly nodeFfi: (platform: Platform) => SystemCalls | undefined
}

let found: Promise<FoundMemory<ThreadMemory>> | undefined

/** One for all engines of a thread: they share the addresses. Never rejects. */
export function findNativeMemory(): Promise<FoundMemory<ThreadMemory>> {
  found ??= Promise.resolve(passesDescriptors ? findIn(thisHost()) : { reason: notInDeno })
  return found
}

export function thisHost(): MemoryHost {
  const { permission } = process as { readonly permission?: { has(name: string): boolean } }
  return {
    system: process.platform,
    arch: process.arch,
    isElectron: process.versions['electron'] !== undefined,
    mayAddons: permission?.has('addon') !== false,
    koffi: loadKoffiCalls,
    nodeFfi: loadNodeFfiCalls,
  }
}

export function findIn(host: MemoryHost): FoundMemory<ThreadMemory> {
  if (host.isElectron) return { reason: isElectron }
  const platform = platformOf(host.system, host.arch)
  if (platform === undefined) return { reason: onlyElsewhere(host.system, host.arch) }
  const reasons: string[] = []
  try {
    return { memory: tried(host.koffi(platform), platform) }
  } catch (error) {
    reasons.push(withoutKoffi(error, host.mayAddons))
  }
  try {
    const calls = host.nodeFfi(platform)
    if (calls !== undefined) return { memory: tried(calls, platform) }
  } catch (error) {
    reasons.push(notByNodeFfi(error))
  }
  return { reason: reasons.join('; ') }
}

const TRIED_BYTES = 4096

/** A runtime may forbid such memory only once it is made. @throws Whatever does not work. */
function tried(calls: SystemCalls, platform: Platform): ThreadMemory {
  const { PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS } = platform
  // It stays, as does all that JavaScript has seen.
  const address = calls.mmap(0n, TRIED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1)
  if (address === -1n) throw systemErrorOf(-calls.errno(), 'mmap')
  const words = new Int32Array(calls.view(address, TRIED_BYTES))
  if (Atomics.add(words, 0, 1) !== 0 || Atomics.load(words, 0) !== 1)
    throw new Error('its memory is not as it should be')
  return new SystemMemory(calls, platform, partMemoryOf(calls, address))
}
