/** Files in memory, closed after the test. */
import fs from 'node:fs'
import type { ExecutionContext } from 'ava'
import type { NativeMemory } from '../../engine/native/native-memory.js'

export function memoryFile(t: ExecutionContext, memory: NativeMemory, length: number): number {
  const fd = memory.createMemfd('test')
  t.teardown(() => fs.closeSync(fd))
  fs.ftruncateSync(fd, length)
  return fd
}

/** What the file takes, in bytes. */
export function takenBytes(fd: number): number {
  return fs.fstatSync(fd).blocks * 512
}
