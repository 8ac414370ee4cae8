import { findNativeMemory } from '../native/find-native-memory.js'

/** Gives back addresses that another thread had taken, which is gone, and with it all that looked at them. */
export async function unmapForeign(
  ranges: readonly { readonly address: bigint; readonly length: number }[],
): Promise<void> {
  if (ranges.length === 0) return
  const { memory } = await findNativeMemory()
  for (const { address, length } of ranges) memory?.unmap(address, length)
}
