/** Connections that another shard has accepted and this one is to go on with. */
import type { AcceptedPeer, DescriptorSource } from '../shard-transport.js'
import { peerOver } from '../transports/transport-registry.js'

/** `taker`: who takes one, asked for each; undefined: nobody does now. Returns the tickets of those not taken. */
export async function takeOver(
  tickets: readonly number[],
  descriptors: DescriptorSource,
  taker: () => ((peer: AcceptedPeer) => void) | undefined,
): Promise<readonly number[]> {
  const refused: number[] = []
  for (const ticket of tickets) {
    const handle = await descriptors.receive(ticket)
    const take = taker()
    if (handle !== undefined && take !== undefined) {
      take(peerOver(handle))
    } else {
      refused.push(ticket)
      handle?.close()
    }
  }
  return refused
}
