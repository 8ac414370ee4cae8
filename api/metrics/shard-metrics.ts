/** Of each shard. There are as many as the engine was told to have, so their number is a label. */
import type { ShardStats } from '../index.js'
import type { StatsMetric } from './metric.js'

type Of = (shard: ShardStats) => number

const row = (
  kind: StatsMetric['kind'],
  name: string,
  unit: StatsMetric['unit'],
  help: string,
  of: Of,
): StatsMetric => ({
  kind,
  name: `shard.${name}`,
  unit,
  help,
  labels: ['shard'],
  read: ({ shards }) => shards.map((shard) => ({ labels: { shard: String(shard.shard) }, value: of(shard) })),
})

const seconds = (ms: number): number => ms / 1000

export const shardMetrics: readonly StatsMetric[] = [
  row('gauge', 'up', '{shard}', '1 if the shard is up, 0 if not.', ({ state }) => (state === 'up' ? 1 : 0)),
  row('counter', 'starts', '{start}', 'How often the shard was started: 1, and its restarts.', (s) => s.generation),
  row('gauge', 'connections', '{connection}', 'Open connections that the shard carries.', (s) => s.connections),
  row(
    'gauge',
    'event_loop.utilization',
    '1',
    'Part of the time since the last look in which the event loop did not sleep.',
    (s) => s.eventLoopUtilization,
  ),
  row(
    'counter',
    'event_loop.delay',
    's',
    'By how much timers of the shard fired late, added up.',
    ({ eventLoopDelay: { samples, meanMs } }) => seconds(samples * meanMs),
  ),
  row(
    'counter',
    'event_loop.delay_samples',
    '{sample}',
    'Timers whose delay was measured, while the shard was busy.',
    (s) => s.eventLoopDelay.samples,
  ),
  row('gauge', 'event_loop.delay_max', 's', 'The longest of these delays since the engine started.', (s) =>
    seconds(s.eventLoopDelay.maxMs),
  ),
  row('counter', 'reads', '{read}', 'Reads from sockets by the shard.', (s) => s.reads),
  row('counter', 'read', 'By', 'Bytes read from sockets by the shard.', (s) => s.bytesRead),
  row('counter', 'writes', '{write}', 'Writes to sockets by the shard.', (s) => s.writes),
  row('counter', 'written', 'By', 'Bytes written to sockets by the shard.', (s) => s.bytesWritten),
  row('counter', 'inline.reads', '{read}', 'Reads by main itself, of sockets of the shard.', (s) => s.inlineReads),
  row('counter', 'inline.read', 'By', 'Bytes read by main itself.', (s) => s.inlineBytesRead),
  row('counter', 'inline.writes', '{write}', 'Writes by main itself, to sockets of the shard.', (s) => s.inlineWrites),
  row('counter', 'inline.written', 'By', 'Bytes written by main itself.', (s) => s.inlineBytesWritten),
  row('counter', 'paused_reads', '{pause}', 'How often reading stopped because a ring was full.', (s) => s.pausedReads),
  row('counter', 'wakes', '{wake}', 'How often the shard was woken.', (s) => s.wakes),
  row('gauge', 'ring_memory', 'By', 'Shared memory that the shard has for rings.', (s) => s.ringMemoryBytes),
  row('gauge', 'ring_memory_used', 'By', 'How much of it rings use.', (s) => s.ringMemoryInUseBytes),
  row(
    'gauge',
    'handler.connections',
    '{connection}',
    'Connections that handler modules serve in the shard.',
    (s) => s.handlers.connections,
  ),
  row('counter', 'handler.frames', '{frame}', 'Frames that handler modules have taken.', (s) => s.handlers.frames),
  row('counter', 'handler.payload', 'By', 'Payload of these frames.', (s) => s.handlers.bytes),
  row('counter', 'handler.busy', 's', 'For how long handler modules have run.', (s) => seconds(s.handlers.busyMs)),
]
