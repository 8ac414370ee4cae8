/** The calls into the C library that a provider binds. What fails returns -1 and leaves a number in `errno()`. */

/** An address in this process. */
export type Address = bigint

export interface SystemCalls {
  readonly provider: 'koffi' | 'node:ffi'
  /** Of the call just before. */
  errno(): number
  /** @returns -1n if it fails. */
  mmap(address: Address, length: number, protection: number, flags: number, fd: number): Address
  /** Memory that JavaScript did not allocate. It is not freed with the buffer. */
  view(address: Address, length: number): ArrayBuffer
  getsockopt(socket: number, level: number, option: number, value: Uint32Array, length: Uint32Array): number
  /** What only this system has. */
  readonly own: LinuxCalls | MacosCalls
}

export interface LinuxCalls {
  readonly system: 'linux'
  memfdCreate(name: string, flags: number): number
  fcntl(fd: number, command: number, argument: number): number
  fallocate(fd: number, mode: number, offset: number, length: number): number
  madvise(address: Address, length: number, advice: number): number
  getpagesize(): number
  munmap(address: Address, length: number): number
  close(fd: number): number
}

export interface MacosCalls {
  readonly system: 'darwin'
  getpeereid(socket: number, uid: Uint32Array, gid: Uint32Array): number
}
