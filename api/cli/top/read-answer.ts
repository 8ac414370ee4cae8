/** Reads what an endpoint of `serveStats()` answers. It may be anything: the peer need not be one. */
import type { StatsAnswer } from '../../metrics/index.js'
import { STATS_FORMAT, STATS_VERSION } from '../../metrics/serve-stats.js'

const NOT_STATISTICS = 'it does not answer with statistics'

type Shape = 'number' | 'string' | readonly [Shape] | { readonly [Key: string]: Shape }

const ledgerLine = { open: 'number' } as const

/** All that is shown. */
const shown = {
  pid: 'number',
  node: 'string',
  at: 'number',
  main: { eventLoopUtilization: 'number' },
  own: { listeners: 'number', connections: 'number' },
  leftOut: { pools: 'number', reconnectingConnections: 'number', breakers: 'number' },
  stats: {
    connections: 'number',
    listeners: 'number',
    pendingConnects: 'number',
    fullSends: 'number',
    traffic: { framesSent: 'number', bytesSent: 'number', framesReceived: 'number', bytesReceived: 'number' },
    shards: [
      {
        shard: 'number',
        state: 'string',
        generation: 'number',
        connections: 'number',
        reads: 'number',
        writes: 'number',
        inlineReads: 'number',
        inlineWrites: 'number',
        bytesRead: 'number',
        bytesWritten: 'number',
        inlineBytesRead: 'number',
        inlineBytesWritten: 'number',
        wakes: 'number',
        ringMemoryBytes: 'number',
        eventLoopUtilization: 'number',
        eventLoopDelay: { samples: 'number', meanMs: 'number' },
        handlers: { frames: 'number', bytes: 'number' },
      },
    ],
    pools: [
      { endpoint: 'string', size: 'number', idle: 'number', leased: 'number', waiting: 'number', acquired: 'number' },
    ],
    reconnectingConnections: [{ endpoint: 'string', state: 'string', attempts: 'number', losses: 'number' }],
    breakers: [{ endpoint: 'string', state: 'string', failures: 'number', waiting: 'number' }],
    sharedMemory: { state: 'string', connections: 'number', reservedBytes: 'number' },
    spareRingMemoryBytes: 'number',
    ledger: {
      open: 'number',
      byKind: {
        connections: ledgerLine,
        reconnectingConnections: ledgerLine,
        descriptors: ledgerLine,
        duplicates: ledgerLine,
        children: ledgerLine,
        regions: ledgerLine,
        lanes: ledgerLine,
      },
    },
  },
} satisfies Shape

/** A text: why it is no answer. */
export function readAnswer(line: Buffer): StatsAnswer | string {
  const value = parsed(line)
  if (!matches(value, { format: 'string', version: 'number' })) return NOT_STATISTICS
  const { format, version } = value as { readonly format: string; readonly version: number }
  if (format !== STATS_FORMAT) return NOT_STATISTICS
  if (version !== STATS_VERSION) {
    return `its statistics are of version ${String(version)}, and this program knows version ${String(STATS_VERSION)}`
  }
  return matches(value, shown) ? (value as StatsAnswer) : 'its statistics lack something'
}

function parsed(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString())
  } catch {
    return undefined
  }
}

function matches(value: unknown, shape: Shape): boolean {
  if (typeof shape === 'string') return typeof value === shape
  if (Array.isArray(shape)) {
    const [item] = shape as readonly [Shape]
    return Array.isArray(value) && value.every((each) => matches(each, item))
  }
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(shape).every(([key, inner]) =>
    matches((value as Readonly<Record<string, unknown>>)[key], inner),
  )
}
