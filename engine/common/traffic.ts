/** Frames, and their payload in bytes, on all connections of an engine since it started. */
export interface TrafficStats {
  readonly framesSent: number
  readonly bytesSent: number
  readonly framesReceived: number
  readonly bytesReceived: number
}

/** As connections count it. */
export type Traffic = { -readonly [What in keyof TrafficStats]: TrafficStats[What] }

export function noTraffic(): Traffic {
  return { framesSent: 0, bytesSent: 0, framesReceived: 0, bytesReceived: 0 }
}
