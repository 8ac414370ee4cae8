/** Memory of the system's calls, whoever makes them. */
import { constants } from 'node:os'
import { systemErrorOf } from '../protocol/system-errno.js'
import { AddressRanges } from './address-ranges.js'
import { reserveInFile } from './file-memory.js'
import type { Mapping, OnRange, ThreadMemory } from './native-memory.js'
import type { PartMemory } from './part-memory.js'
import { peerOf, type Peer } from './peer-credentials.js'
import { F_DUPFD_CLOEXEC, memfd, seals, type Platform } from './platform.js'
import type { LinuxCalls, SystemCalls } from './system-calls.js'

const { EINVAL, ENOSYS } = constants.errno
const SIZE_SEALS = seals.SEAL | seals.SHRINK | seals.GROW

export class SystemMemory implements ThreadMemory {
  readonly provider: SystemCalls['provider']
  readonly hasMemfd: boolean
  readonly #calls: SystemCalls
  readonly #ranges: AddressRanges

  constructor(calls: SystemCalls, platform: Platform, parts: PartMemory) {
    this.provider = calls.provider
    this.hasMemfd = calls.own.system === 'linux'
    this.#calls = calls
    this.#ranges = new AddressRanges(calls, platform, parts)
  }

  duplicate(fd: number): number {
    const duplicate = this.#linux('fcntl').fcntl(fd, F_DUPFD_CLOEXEC, 0)
    if (duplicate === -1) throw this.#error('fcntl')
    return duplicate
  }

  close(fd: number): void {
    this.#linux('close').close(fd)
  }

  watchRanges(onNew: OnRange): void {
    this.#ranges.watch(onNew)
  }

  unmap(address: bigint, length: number): void {
    this.#linux('munmap').munmap(address, length)
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
    reserveInFile(this.#calls, fd, offset, length)
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
