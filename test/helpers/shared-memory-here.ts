/**
 * Whether processes can share memory here, and how: nothing makes the system calls on Windows, or where koffi is not
 * there. It is one for all engines of this thread.
 */
import process from 'node:process'
import { findNativeMemory } from '../../engine/native/find-native-memory.js'

const { memory } = await findNativeMemory()

export const canShareMemory = memory !== undefined

/** Also by files whose size nobody can change; and what a process has can be counted. */
export const isSharedOnLinux = canShareMemory && process.platform === 'linux'

/** Whether by a file without a name, which a peer reaches through the descriptor's number. */
export const hasMemfd = memory?.hasMemfd === true

/** True: from here on this process makes and opens segments as where there are no such files, by their paths. */
export function withoutMemfd(without: boolean): void {
  if (memory !== undefined)
    Object.defineProperty(memory, 'hasMemfd', { value: hasMemfd && !without, configurable: true })
}
