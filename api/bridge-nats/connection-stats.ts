/** What a bridge that carries connections counts. */
import type { Carrier } from './carrier.js'
import type { NatsLink } from './nats-link.js'

export interface ConnectionBridgeStats {
  /** Whether there is a connection to NATS now. */
  readonly nats: 'up' | 'down' | 'closed'
  /** How often it came back. */
  readonly reconnects: number
  readonly connections: {
    /** Those that both bridges carry. */
    readonly open: number
    /** Those that the other bridge has not answered for yet. */
    readonly opening: number
    readonly ended: number
    /** Of those, how many did not end cleanly, or may have lost frames. */
    readonly failed: number
    /** Over `maxConnections`, or not to be dialled. */
    readonly refused: number
  }
  readonly frames: {
    /** From local connections, and taken by the operating system at the other side. */
    readonly handedOver: number
    /** From local connections that are open; their fate is not known yet. */
    readonly onTheWay: number
    /** Published by connections that are over, and not heard of. */
    readonly unconfirmed: number
    /** Never published by connections that are over. */
    readonly unsent: number
    /** For local connections, each counted once. */
    readonly received: number
    /** Of those, how many the operating system here took. */
    readonly delivered: number
  }
  /** Payload bytes on their way from local connections: what the windows bound. */
  readonly bytesOnTheWay: number
  /** Packets that were published again since they were lost, and that came twice and were dropped. */
  readonly packets: { readonly resent: number; readonly duplicates: number }
}

export function connectionStats(link: NatsLink, carrier: Carrier, refused: number): ConnectionBridgeStats {
  const { bytesOnTheWay, ...frames } = carrier.frames
  const { opening, ended, failed, resent, duplicates } = carrier
  return {
    nats: link.state,
    reconnects: link.reconnects,
    connections: { open: carrier.size - opening, opening, ended, failed, refused },
    frames,
    bytesOnTheWay,
    packets: { resent, duplicates },
  }
}
