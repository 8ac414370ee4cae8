import type net from 'node:net'
import type { TransportTarget } from '../protocol/target.js'

/** One end, until the child has it. */
export interface ChildEnd {
  /** As `spawn` takes it. */
  readonly stdio: net.Socket | number
  /** The child has its own by now, or nobody needs it. May be called again. */
  close(): void
}

/** How main and the shard come to hold the two ends of two streams. */
export interface ChildEnds {
  /** What the shard is to dial. */
  readonly target: TransportTarget
  /** Once the shard has dialled. Rejects as the system does; settles not at all if the connection ends instead. */
  take(): Promise<readonly [stdin: ChildEnd, stdout: ChildEnd]>
  /** What came of it is the child's by now, or nobody's. */
  close(): void
}
