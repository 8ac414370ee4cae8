/** Connections whose small frames main writes itself, and what shards count of that. */
import type { Connection, Engine } from '../../api/index.js'
import type { Frame } from '../../engine/common/frame.js'

export interface WriteCounts {
  readonly inlineWrites: number
  readonly inlineBytesWritten: number
  readonly writes: number
  readonly bytesWritten: number
}

/** Of all shards together. */
export function writeCounts(engine: Engine): WriteCounts {
  const { shards } = engine.stats()
  const sum = (what: keyof WriteCounts): number => shards.reduce((total, shard) => total + shard[what], 0)
  return {
    inlineWrites: sum('inlineWrites'),
    inlineBytesWritten: sum('inlineBytesWritten'),
    writes: sum('writes'),
    bytesWritten: sum('bytesWritten'),
  }
}

/** What has come to `before` since. */
export function writesSince(engine: Engine, before: WriteCounts): WriteCounts {
  const now = writeCounts(engine)
  return {
    inlineWrites: now.inlineWrites - before.inlineWrites,
    inlineBytesWritten: now.inlineBytesWritten - before.inlineBytesWritten,
    writes: now.writes - before.writes,
    bytesWritten: now.bytesWritten - before.bytesWritten,
  }
}

/** Sends a frame to a peer that echoes it, and returns the echo. */
export async function roundTrip(connection: Connection, frame: Frame = 'ping'): Promise<Buffer> {
  connection.send(frame)
  const echo = await connection.receive()
  if (echo === undefined) throw new Error('the stream ended before the echo')
  return echo
}

/** Makes round trips until each of them takes so many inline writes: two where the peer is of the same engine. */
export async function untilInline(engine: Engine, connection: Connection, each = 1): Promise<void> {
  for (;;) {
    const before = writeCounts(engine)
    await roundTrip(connection)
    if (writesSince(engine, before).inlineWrites === each) return
  }
}

export interface ReadCounts {
  readonly inlineReads: number
  readonly inlineBytesRead: number
  readonly reads: number
  readonly bytesRead: number
}

/** Of all shards together. */
export function readCounts(engine: Engine): ReadCounts {
  const { shards } = engine.stats()
  const sum = (what: keyof ReadCounts): number => shards.reduce((total, shard) => total + shard[what], 0)
  return {
    inlineReads: sum('inlineReads'),
    inlineBytesRead: sum('inlineBytesRead'),
    reads: sum('reads'),
    bytesRead: sum('bytesRead'),
  }
}

/** What has come to `before` since. */
export function readsSince(engine: Engine, before: ReadCounts): ReadCounts {
  const now = readCounts(engine)
  return {
    inlineReads: now.inlineReads - before.inlineReads,
    inlineBytesRead: now.inlineBytesRead - before.inlineBytesRead,
    reads: now.reads - before.reads,
    bytesRead: now.bytesRead - before.bytesRead,
  }
}

/** Makes round trips until main reads so much of each of them: two where the peer is of the same engine. */
export async function untilMainReads(engine: Engine, connection: Connection, each = 1): Promise<void> {
  for (;;) {
    const before = readCounts(engine)
    await roundTrip(connection)
    const { inlineReads, reads } = readsSince(engine, before)
    if (inlineReads === each && reads === 0) return
  }
}
