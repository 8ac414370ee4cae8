/** Memory that this engine shares with other processes, as `engine.stats()` shows it. */
export interface SharedMemoryStats {
  /**
   * `unknown` until an endpoint has asked for shared memory. `unavailable`: such connections go over their sockets.
   */
  readonly state: 'unknown' | 'available' | 'unavailable'
  /** What makes the system calls. Undefined: nothing does. */
  readonly provider: 'koffi' | 'node:ffi' | undefined
  /** Why it is unavailable. */
  readonly reason: string | undefined
  /** Connections over shared memory; not those that handler modules serve, which their shards count. */
  readonly connections: number
  /** Segments that are mapped, one for each such connection, and what is reserved in them for rings, in bytes. */
  readonly segments: number
  readonly reservedBytes: number
}
