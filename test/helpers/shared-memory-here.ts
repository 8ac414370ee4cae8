/** Whether processes can share memory here. */
import { findNativeMemory } from '../../engine/native/find-native-memory.js'

const { memory } = await findNativeMemory()

export const canShareMemory = memory !== undefined
/** Whether by a file without a name, which a peer reaches through the descriptor's number. */
export const hasMemfd = memory?.hasMemfd === true
