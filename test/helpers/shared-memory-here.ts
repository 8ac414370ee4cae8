/** Whether processes can share memory here: nothing makes the system calls on Windows, or where koffi is not there. */
import process from 'node:process'
import { nativeMemories } from './native-memories.js'

export const canShareMemory = nativeMemories.length > 0

/** Also by files whose size nobody can change; and what a process has can be counted. */
export const isSharedOnLinux = canShareMemory && process.platform === 'linux'
