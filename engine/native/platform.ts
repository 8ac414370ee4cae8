/** Numbers of the C headers, for the systems that have been looked at: Linux and macOS, 64 bits, x64 and arm64. */

interface Common {
  readonly PROT_READ: number
  readonly PROT_WRITE: number
  readonly MAP_SHARED: number
  readonly MAP_PRIVATE: number
  readonly MAP_FIXED: number
  readonly MAP_ANONYMOUS: number
  readonly MAP_NORESERVE: number
  /** The function that tells where this thread has its `errno`. */
  readonly errnoLocation: string
}

export interface Linux extends Common {
  readonly system: 'linux'
}

export interface Macos extends Common {
  readonly system: 'darwin'
}

export type Platform = Linux | Macos

const linux: Linux = {
  system: 'linux',
  PROT_READ: 1,
  PROT_WRITE: 2,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_FIXED: 0x10,
  MAP_ANONYMOUS: 0x20,
  MAP_NORESERVE: 0x4000,
  errnoLocation: '__errno_location',
}

const macos: Macos = {
  system: 'darwin',
  PROT_READ: 1,
  PROT_WRITE: 2,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_FIXED: 0x10,
  MAP_ANONYMOUS: 0x1000,
  MAP_NORESERVE: 0x40,
  errnoLocation: '__error',
}

/** Linux alone. */
export const memfd = { CLOEXEC: 1, ALLOW_SEALING: 2, NOEXEC_SEAL: 8 } as const
export const F_DUPFD_CLOEXEC = 1030
export const seals = { F_ADD: 1033, F_GET: 1034, SEAL: 1, SHRINK: 2, GROW: 4 } as const
export const fallocateMode = { ALLOCATE: 0, KEEP_SIZE: 1, PUNCH_HOLE: 2 } as const
export const advice = { REMOVE: 9, POPULATE_WRITE: 23 } as const
export const SO_PEERCRED = { level: 1, option: 17 } as const
/** macOS alone. */
export const LOCAL_PEERPID = { level: 0, option: 2 } as const

/** Undefined where the numbers may be others. */
export function platformOf(system: string, arch: string): Platform | undefined {
  if (arch !== 'x64' && arch !== 'arm64') return undefined
  return system === 'linux' ? linux : system === 'darwin' ? macos : undefined
}
