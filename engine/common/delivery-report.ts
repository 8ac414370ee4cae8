/** What became of the frames that one connection was given to send, once it is over. Together they are all of them. */
export interface DeliveryReport {
  /** Frames that the operating system took whole: whether the peer read them is not known. */
  readonly handedOver: number
  /** The last of those, oldest first, as far as the retained bytes reach. */
  readonly retained: readonly Buffer[]
  /** Frames in the hands of a write that did not report back: the peer may have received them, or not. */
  readonly unconfirmed: readonly Buffer[]
  /** Frames that the peer cannot have received whole. */
  readonly unsent: readonly Buffer[]
  /** Frames that were not handed over and for whose bytes there was no memory: all that is known of them. */
  readonly lost: number
}
