/** What main holds of a child's stdin and stdout until the child has them. */
import type net from 'node:net'
import type { TransportTarget } from '../protocol/target.js'

export interface StdioEnd {
  /** As `spawn` takes it. */
  readonly stdio: net.Socket | number
  /** The child has its copy, or does not need one. May be called again. */
  close(): void
}

export type StdioEnds = readonly [stdin: StdioEnd, stdout: StdioEnd]

/** How main and the shard come to hold the two ends of two streams. */
export interface StdioOffer {
  /** What the shard is to dial. */
  readonly target: TransportTarget
  /** Once the shard has dialled. Rejects as the system does; stays pending if the connection ends instead. */
  take(): Promise<StdioEnds>
  /** Closes main's ends. */
  close(): void
}
