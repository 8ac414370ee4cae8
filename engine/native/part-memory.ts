/**
 * The memory that parts of a mapped file take: by their addresses where the system can, so that the descriptor of the
 * file need not stay open, and else by the descriptor.
 */
import { constants } from 'node:os'
import { systemErrorOf } from '../protocol/system-errno.js'
import { reserveInFile } from './file-memory.js'
import { advice, fallocateMode } from './platform.js'
import type { Address, LinuxCalls, SystemCalls } from './system-calls.js'

/** Of a file that is mapped right now. */
export interface Part {
  readonly address: Address
  readonly fd: number
  /** In the file. */
  readonly offset: number
  readonly length: number
}

export interface PartMemory {
  /** Whether the file's descriptor must stay open for it. */
  readonly needsDescriptor: boolean
  /** @throws The system's error. */
  reserve(part: Part): void
  /** What fails leaves the memory where it is, until nobody has the file any more. */
  discard(part: Part): void
}

/** `address` is where a page of this process's memory lies that nobody uses: it is tried there once. */
export function partMemoryOf(calls: SystemCalls, address: Address): PartMemory {
  const { own } = calls
  if (own.system !== 'linux') return byDescriptor(calls)
  const pageBytes = own.getpagesize()
  // Linux before 5.14 does not know it (EINVAL), and what confines a process may forbid what it does not know.
  if (own.madvise(address, pageBytes, advice.POPULATE_WRITE) === -1) return byDescriptor(calls)
  return byAddress(calls, own, pageBytes)
}

function byDescriptor(calls: SystemCalls): PartMemory {
  const { own } = calls
  return {
    needsDescriptor: true,
    reserve: ({ fd, offset, length }) => reserveInFile(calls, fd, offset, length),
    discard: ({ fd, offset, length }) => {
      if (own.system === 'linux') own.fallocate(fd, fallocateMode.PUNCH_HOLE | fallocateMode.KEEP_SIZE, offset, length)
    },
  }
}

function byAddress(calls: SystemCalls, linux: LinuxCalls, pageBytes: number): PartMemory {
  /** How far behind the beginning of a page. */
  const behind = (address: Address): number => Number(address % BigInt(pageBytes))
  const discard = ({ address, length }: Part): void => {
    // Whole pages only: what else lies in the first and in the last one stays.
    const skipped = (pageBytes - behind(address)) % pageBytes
    const pages = Math.floor((length - skipped) / pageBytes)
    if (pages > 0) linux.madvise(address + BigInt(skipped), pages * pageBytes, advice.REMOVE)
  }
  const reserve = (part: Part): void => {
    const before = behind(part.address)
    const start = part.address - BigInt(before)
    while (linux.madvise(start, before + part.length, advice.POPULATE_WRITE) === -1) {
      const errno = calls.errno()
      // A signal interrupts it.
      if (errno === constants.errno.EINTR) continue
      // The pages before the one that could not be had are taken.
      discard(part)
      throw systemErrorOf(-errno, 'madvise')
    }
  }
  return { needsDescriptor: false, reserve, discard }
}
