/** Memory of the system's calls, whoever makes them. */
import fs from 'node:fs'
import { constants } from 'node:os'
import { systemErrorOf } from '../protocol/system-errno.js'
import { AddressRanges } from './address-ranges.js'
import type { Mapping, NativeMemory } from './native-memory.js'
import { peerOf, type Peer } from './peer-credentials.js'
import { fallocateMode, memfd, seals, type Platform } from './platform.js'
import type { LinuxCalls, SystemCalls } from './system-calls.js'

const { EINTR, EINVAL, ENOSYS, EOPNOTSUPP } = constants.errno
const SIZE_SEALS = seals.SEAL | seals.SHRINK | seals.GROW
const zeros = new Uint8Array(64 * 1024)

export class SystemMemory implements NativeMemory {
  readonly provider: SystemCalls['provider']
  readonly hasMemfd: boolean
  readonly #calls: SystemCalls
  readonly #ranges: AddressRanges

  constructor(calls: SystemCalls, platform: Platform) {
    this.provider = calls.provider
    this.hasMemfd = calls.own.system === 'linux'
    this.#calls = calls
    this.#ranges = new AddressRanges(calls, platform)
  }

  createMemfd(name: string): number {
    const linux = this.#linux('memfd_create')
    // Some systems refuse files that could be made executable. Before Linux 6.3 there is no such flag.
    const flags = memfd.CLOEXEC | memfd.ALLOW_SEALING
    let fd = linux.memfdCreate(name, flags | memfd.NOEXEC_SEAL)
    if (fd === -1 && this.#calls.errno() === EINVAL) fd = linux.memfdCreate(name, flags)
    if (fd === -1) throw this.#error('memfd_create')
    return fd
  }

  sealSize(fd: number): void {
    if (this.#linux('fcntl').fcntl(fd, seals.F_ADD, SIZE_SEALS) === -1) throw this.#error('fcntl')
  }

  isSizeSealed(fd: number): boolean {
    const { own } = this.#calls
    if (own.system !== 'linux') return false
    const set = own.fcntl(fd, seals.F_GET, 0)
    const needed = seals.SHRINK | seals.GROW
    return set !== -1 && (set & needed) === needed
  }

  reserve(fd: number, offset: number, length: number): void {
    const { own } = this.#calls
    if (own.system !== 'linux') {
      writeZeros(fd, offset, length)
      return
    }
    while (own.fallocate(fd, fallocateMode.ALLOCATE, offset, length) === -1) {
      const errno = this.#calls.errno()
      // A signal interrupts it.
      if (errno === EINTR) continue
      if (errno !== EOPNOTSUPP) throw systemErrorOf(-errno, 'fallocate')
      writeZeros(fd, offset, length)
      return
    }
  }

  discard(fd: number, offset: number, length: number): void {
    const { own } = this.#calls
    // What fails leaves the memory where it is, until the file is closed.
    if (own.system === 'linux') own.fallocate(fd, fallocateMode.PUNCH_HOLE | fallocateMode.KEEP_SIZE, offset, length)
  }

  map(fd: number, length: number): Mapping {
    return this.#ranges.map(fd, length)
  }

  peerOf(socket: number): Peer {
    const peer = peerOf(this.#calls, socket)
    if (peer === undefined) throw this.#error('getsockopt')
    return peer
  }

  #linux(syscall: string): LinuxCalls {
    const { own } = this.#calls
    if (own.system !== 'linux') throw systemErrorOf(-ENOSYS, syscall)
    return own
  }

  #error(syscall: string): Error {
    return systemErrorOf(-this.#calls.errno(), syscall)
  }
}

/** Takes what the file needs on a file system that reserves nothing. @throws The system's error. */
function writeZeros(fd: number, offset: number, length: number): void {
  const end = offset + length
  for (let at = offset; at < end;) at += fs.writeSync(fd, zeros, 0, Math.min(zeros.length, end - at), at)
}
