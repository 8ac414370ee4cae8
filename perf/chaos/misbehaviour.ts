/**
 * How a peer can be ordered to misbehave. The order is a frame among the others, so it takes effect at a known place in
 * the stream.
 */

export type Misbehaviour =
  /** The first bytes of a frame, then the end of the stream, or a cut. */
  | { readonly do: 'half-frame'; readonly keep: number; readonly then: 'end' | 'cut' }
  /** Bytes that are no frame; from then on the peer sends nothing. */
  | { readonly do: 'garbage'; readonly bytes: number; readonly seed: number }
  /** Announces a frame of `announce` bytes; from then on the peer sends nothing. */
  | { readonly do: 'oversized'; readonly announce: number }
  | { readonly do: 'end' }
  | { readonly do: 'cut' }
  /** Cuts this connection, and the next `count` as soon as they are accepted. */
  | { readonly do: 'refuse'; readonly count: number }

export function writeOrder(order: Misbehaviour): Buffer {
  return Buffer.from(JSON.stringify(order))
}

export function readOrder(payload: Buffer): Misbehaviour {
  return JSON.parse(payload.toString()) as Misbehaviour
}
