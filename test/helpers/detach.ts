/** Takes memory away from everybody who has this view of it, as far as the runtime can. */
export function detach(memory: ArrayBufferLike): void {
  // Node 21 and later have it.
  const { transfer } = memory as { transfer?: () => ArrayBuffer }
  if (transfer === undefined) structuredClone(memory, { transfer: [memory as ArrayBuffer] })
  else transfer.call(memory)
}
