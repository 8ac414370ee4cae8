/**
 * What a peer can be ordered to do wrong, by a frame among the others: so it happens at a known place of the stream.
 */

export type Misbehaviour =
  /** The first bytes of a frame, then the end of the stream, or a cut. */
  | { readonly do: 'half-frame'; readonly keep: number; readonly then: 'end' | 'cut' }
  /** Bytes that are no frame; from then on it says nothing. */
  | { readonly do: 'garbage'; readonly bytes: number; readonly seed: number }
  /** Announces a frame of so many bytes; from then on it says nothing. */
  | { readonly do: 'oversized'; readonly announce: number }
  | { readonly do: 'end' }
  | { readonly do: 'cut' }
  /** Cuts this connection, and so many that come after it, as soon as they are there. */
  | { readonly do: 'refuse'; readonly count: number }

export function writeOrder(order: Misbehaviour): Buffer {
  return Buffer.from(JSON.stringify(order))
}

export function readOrder(payload: Buffer): Misbehaviour {
  return JSON.parse(payload.toString()) as Misbehaviour
}
