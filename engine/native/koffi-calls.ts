/** The system calls by koffi, an optional dependency. */
// By this name alone: hosts that are bundled often have a `createRequire` of their own on top.
import nodeModule from 'node:module'
import type { Platform } from './platform.js'
import type { LinuxCalls, MacosCalls, SystemCalls } from './system-calls.js'

type CFunction = (...values: readonly unknown[]) => unknown

/** The part of koffi that is used. Its own types would be in this package's. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): CFunction }
  errno(): number
  view(address: bigint, length: number): ArrayBuffer
}

/** @throws What loading koffi throws: it is not there, addons are not allowed, or the C library has not all of it. */
export function loadKoffiCalls(platform: Platform): SystemCalls {
  const koffi = requireKoffi()
  const library = koffi.load(null)
  const mmap = library.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t'])
  const getsockopt = library.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *'])
  return {
    provider: 'koffi',
    errno: () => koffi.errno(),
    mmap: (...values) => BigInt(mmap(...values, 0) as number | bigint),
    view: (address, length) => koffi.view(address, length),
    getsockopt: (...values) => getsockopt(...values) as number,
    own: platform.system === 'linux' ? linuxCalls(library) : macosCalls(library),
  }
}

/** By a name that no bundler sees: what it bundled could not load the binary, and koffi need not be there at all. */
function requireKoffi(): Koffi {
  // Bundlers that write CommonJS leave import.meta empty, and replace import.meta.url where it is written like this.
  const here = (import.meta as Partial<ImportMeta>).url ?? __filename
  return nodeModule.createRequire(here)('koffi') as Koffi
}

type Library = ReturnType<Koffi['load']>

function linuxCalls(library: Library): LinuxCalls {
  const memfdCreate = library.func('memfd_create', 'int', ['str', 'uint'])
  // Variadic functions are called otherwise than others on some systems.
  const fcntl = library.func('fcntl', 'int', ['int', 'int', '...'])
  const fallocate = library.func('fallocate', 'int', ['int', 'int', 'int64_t', 'int64_t'])
  const madvise = library.func('madvise', 'int', ['intptr_t', 'size_t', 'int'])
  const getpagesize = library.func('getpagesize', 'int', [])
  const munmap = library.func('munmap', 'int', ['intptr_t', 'size_t'])
  const close = library.func('close', 'int', ['int'])
  return {
    system: 'linux',
    memfdCreate: (name, flags) => memfdCreate(name, flags) as number,
    fcntl: (fd, command, argument) => fcntl(fd, command, 'int', argument) as number,
    fallocate: (...values) => fallocate(...values) as number,
    madvise: (...values) => madvise(...values) as number,
    getpagesize: () => getpagesize() as number,
    munmap: (...values) => munmap(...values) as number,
    close: (fd) => close(fd) as number,
  }
}

function macosCalls(library: Library): MacosCalls {
  const getpeereid = library.func('getpeereid', 'int', ['int', 'void *', 'void *'])
  return { system: 'darwin', getpeereid: (...values) => getpeereid(...values) as number }
}
