/** Takes memory, or disk, for a part of a file by its descriptor. */
import fs from 'node:fs'
import { constants } from 'node:os'
import { systemErrorOf } from '../protocol/system-errno.js'
import { fallocateMode } from './platform.js'
import type { SystemCalls } from './system-calls.js'

const { EINTR, EOPNOTSUPP } = constants.errno
const zeros = new Uint8Array(64 * 1024)

/** @throws The system's error. */
export function reserveInFile(calls: SystemCalls, fd: number, offset: number, length: number): void {
  const { own } = calls
  if (own.system !== 'linux') {
    writeZeros(fd, offset, length)
    return
  }
  while (own.fallocate(fd, fallocateMode.ALLOCATE, offset, length) === -1) {
    const errno = calls.errno()
    // A signal interrupts it.
    if (errno === EINTR) continue
    if (errno !== EOPNOTSUPP) throw systemErrorOf(-errno, 'fallocate')
    writeZeros(fd, offset, length)
    return
  }
}

/** Takes what the file needs on a file system that reserves nothing. @throws The system's error. */
function writeZeros(fd: number, offset: number, length: number): void {
  const end = offset + length
  for (let at = offset; at < end;) at += fs.writeSync(fd, zeros, 0, Math.min(zeros.length, end - at), at)
}
