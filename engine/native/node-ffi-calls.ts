/** The system calls by node:ffi, which Node 26.9 and later have; it is experimental. */
import process from 'node:process'
import { loadExperimental } from '../internals/experimental-module.js'
import type { Platform } from './platform.js'
import type { LinuxCalls, MacosCalls, SystemCalls } from './system-calls.js'

interface Signature {
  readonly return: string
  readonly arguments: readonly string[]
}

/** The part of node:ffi that is used. Numbers of 64 bits are bigints, both ways. */
interface NodeFfi {
  dlopen<Name extends string>(
    path: null,
    signatures: Readonly<Record<Name, Signature>>,
  ): { readonly functions: Readonly<Record<Name, (...values: readonly unknown[]) => unknown>> }
  getInt32(address: bigint): number
  toArrayBuffer(address: bigint, length: number, copy: false): ArrayBuffer
}

const int = (...parameters: readonly string[]): Signature => ({ return: 'int32', arguments: parameters })

/** Undefined where Node has none, or does not allow it. @throws What node:ffi throws if anything is missing. */
export function loadNodeFfiCalls(platform: Platform): SystemCalls | undefined {
  // Asked before it is loaded, since it would be loaded for nothing. Older types know no such permission.
  const { permission } = process as { readonly permission?: { has(name: string): boolean } }
  if (permission?.has('ffi') === false) return undefined
  const ffi = loadExperimental('node:ffi') as NodeFfi | undefined
  if (ffi === undefined) return undefined
  const { mmap, getsockopt } = ffi.dlopen(null, {
    mmap: { return: 'int64', arguments: ['uint64', 'uint64', 'int32', 'int32', 'int32', 'int64'] },
    getsockopt: int('int32', 'int32', 'int32', 'pointer', 'pointer'),
  }).functions
  const own = platform.system === 'linux' ? linuxCalls(ffi) : macosCalls(ffi)
  const location = { [platform.errnoLocation]: { return: 'pointer', arguments: [] } }
  // The same one for as long as the thread lives.
  const errno = ffi.dlopen(null, location).functions[platform.errnoLocation]?.() as bigint
  return {
    provider: 'node:ffi',
    errno: () => ffi.getInt32(errno),
    mmap: (address, length, ...values) => mmap(address, BigInt(length), ...values, 0n) as bigint,
    view: (address, length) => ffi.toArrayBuffer(address, length, false),
    getsockopt: (...values) => getsockopt(...values) as number,
    own,
  }
}

function linuxCalls(ffi: NodeFfi): LinuxCalls {
  const { memfd_create, fcntl, fallocate, madvise, getpagesize, munmap, close } = ffi.dlopen(null, {
    memfd_create: int('string', 'uint32'),
    // On Linux, x64 and arm64, a variadic function takes integers as any other function does.
    fcntl: int('int32', 'int32', 'int32'),
    fallocate: int('int32', 'int32', 'int64', 'int64'),
    madvise: int('uint64', 'uint64', 'int32'),
    getpagesize: int(),
    munmap: int('uint64', 'uint64'),
    close: int('int32'),
  }).functions
  return {
    system: 'linux',
    memfdCreate: (name, flags) => memfd_create(name, flags) as number,
    fcntl: (...values) => fcntl(...values) as number,
    fallocate: (fd, mode, offset, length) => fallocate(fd, mode, BigInt(offset), BigInt(length)) as number,
    madvise: (address, length, advice) => madvise(address, BigInt(length), advice) as number,
    getpagesize: () => getpagesize() as number,
    munmap: (address, length) => munmap(address, BigInt(length)) as number,
    close: (fd) => close(fd) as number,
  }
}

function macosCalls(ffi: NodeFfi): MacosCalls {
  const { getpeereid } = ffi.dlopen(null, { getpeereid: int('int32', 'pointer', 'pointer') }).functions
  return { system: 'darwin', getpeereid: (...values) => getpeereid(...values) as number }
}
