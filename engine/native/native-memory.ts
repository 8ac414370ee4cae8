/** The system calls behind shared memory. They are made when a connection begins, grows or ends, never for a frame. */

export type OnRange = (address: bigint, length: number) => void

export interface NativeMemory {
  readonly provider: 'koffi' | 'node:ffi'
  /** Whether there are files without a name whose size can be sealed (Linux). */
  readonly hasMemfd: boolean
  /** A descriptor of a new, empty file in memory, closed on exec. @throws The system's error. */
  createMemfd(name: string): number
  /** From here on the file keeps its size, and may be given no other seal. @throws The system's error. */
  sealSize(fd: number): void
  /** Whether the file can neither shrink nor grow. False also where there are no seals. */
  isSizeSealed(fd: number): boolean
  /**
   * Takes memory (or disk) for a part of the file now, so that using it cannot fail later. Nobody may use the part
   * yet: where the system cannot reserve, zeros are written to it.
   * @throws The system's error: ENOSPC, ENOMEM.
   */
  reserve(fd: number, offset: number, length: number): void
  /**
   * Maps the first `length` bytes of a file, to read and to write. The descriptor stays the caller's, also if this
   * throws. If the mapping needs it, it must stay open until `release()`; else it may be closed at once.
   * @throws The system's error.
   */
  map(fd: number, length: number): Mapping
  /** The user, and where the system tells the process, at the other end of a Unix socket. @throws Its error. */
  peerOf(socket: number): { readonly uid: number; readonly pid: number | undefined }
}

/** What a thread needs besides, that may end before the process. */
export interface ThreadMemory extends NativeMemory {
  /** Another descriptor of the same thing, closed on exec. Linux. @throws The system's error. */
  duplicate(fd: number): number
  /** Closes a descriptor that Node does not know of. Linux. */
  close(fd: number): void
  /** `onNew`: called with each range of addresses that this thread takes from now on. */
  watchRanges(onNew: OnRange): void
  /** Gives back what a thread has taken that is gone: nobody may have a view of it. Linux. */
  unmap(address: bigint, length: number): void
}

/** A file in this process's memory. */
export interface Mapping {
  readonly length: number
  /** Whether `reserve()` and `discard()` work by the descriptor, as on Linux before 5.14 and on macOS. */
  readonly needsDescriptor: boolean
  /**
   * A view of a part; the same one each time for the same part. Views stay usable for ever: once the mapping is
   * released they show memory that nobody else has, and later perhaps another mapping.
   * @throws {RangeError} The part does not lie in the mapping. @throws {Error} The mapping is released.
   */
  view(offset: number, length: number): ArrayBuffer
  /**
   * As `view()`, but another one each time, for somebody who may detach it (`ArrayBuffer.prototype.transfer()`).
   * @throws As `view()`.
   */
  lend(offset: number, length: number): ArrayBuffer
  /**
   * Takes memory (or disk) for a part now, so that using it cannot fail later. Nobody may use the part yet: if it
   * fails, or where the system cannot reserve, the part may read as zeros afterwards.
   * @throws The system's error: ENOSPC, ENOMEM; by address EFAULT if the file gets no more.
   * @throws {RangeError} The part does not lie in the mapping. @throws {Error} The mapping is released.
   */
  reserve(offset: number, length: number): void
  /**
   * Gives the memory of the pages of a part back. They read as zeros then; whoever reads or writes them takes memory
   * again, without a reservation. Does nothing where that is not possible, and once the mapping is released.
   * @throws {RangeError} The part does not lie in the mapping.
   */
  discard(offset: number, length: number): void
  /** Lets go of the file. The addresses are kept and used again. Does nothing the second time. */
  release(): void
}
