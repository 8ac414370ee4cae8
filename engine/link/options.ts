/** What a connection is made with; the API layer has validated all of it. */
export interface LinkOptions {
  readonly maxFrameBytes: number
  readonly maxPendingBytes: number
  readonly maxRingBytes: number
  readonly closeTimeoutMs: number
  readonly allowHalfOpen: boolean
}
