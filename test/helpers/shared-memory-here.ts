/** Whether processes can share memory here, and how. One for all engines of this thread. */
import { findNativeMemory } from '../../engine/native/find-native-memory.js'

const { memory } = await findNativeMemory()

export const canShareMemory = memory !== undefined
/** Whether by a file without a name, which a peer reaches through the descriptor's number. */
export const hasMemfd = memory?.hasMemfd === true

/** True: from here on this process makes and opens segments as where there are no such files, by their paths. */
export function withoutMemfd(without: boolean): void {
  if (memory !== undefined)
    Object.defineProperty(memory, 'hasMemfd', { value: hasMemfd && !without, configurable: true })
}
