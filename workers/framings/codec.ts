/** What a framing has to be: two incremental translators between the wire's format and that of the rings. */

/** What a decoder has found, in the order in which it lies on the wire. */
export interface FrameSink {
  /** A whole frame: `bytes[start]` to before `bytes[end]`, valid during the call. */
  frame(bytes: Buffer, start: number, end: number): void
  /** The same, in memory that is not written to any more. */
  keep(bytes: Buffer, start: number, end: number): void
  /** A frame begins whose payload has so many bytes; exactly so many follow by `payload()`, or fewer and a fault. */
  begin(length: number): void
  /** Bytes of the payload of the frame that has begun, valid during the call. */
  payload(bytes: Buffer, start: number, end: number): void
}

/** Throws a FramingFault for what it cannot decode, or ERR_OUT_OF_MEMORY; it is not called again then. */
export interface Decoder {
  /** Takes all of `chunk`, which is valid during the call. */
  push(chunk: Buffer, sink: FrameSink): void
  /** Whether bytes of a frame have come that the sink knows nothing of yet. */
  readonly holdsBack: boolean
  /** The stream has ended: hands over what may be handed over, or throws ERR_TRUNCATED. */
  end(sink: FrameSink): void
}

/** What surrounds a payload on the wire. */
export interface Encoder {
  /** The most bytes that one frame gets before its payload and after it, together. */
  readonly overhead: number
  /** Writes what comes before a payload of so many bytes; returns where it ends. */
  prefix(length: number, target: Buffer, at: number): number
  /** Writes what comes after it; returns where it ends. */
  suffix(target: Buffer, at: number): number
}

export interface Codec {
  readonly decoder: Decoder
  readonly encoder: Encoder
}
