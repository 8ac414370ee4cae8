/** What `top` shows of an engine: two answers become text for 80 columns. */
import type { StatsAnswer } from '../../metrics/index.js'
import { amount, bytes, milliseconds, percent } from './figures.js'
import { layOut } from './lay-out.js'

const COLUMNS = 80
const NONE = '-'

/** One of the same engine's; `before` is undefined where there is only one yet: then there are no rates. */
export interface Pair {
  readonly before: StatsAnswer | undefined
  readonly after: StatsAnswer
}

export function view(endpoint: string, pair: Pair): string {
  const { own, leftOut, stats } = pair.after
  return [
    clip(`${plain(endpoint)}: process ${String(pair.after.pid)}, Node ${plain(pair.after.node)}`),
    summary(pair),
    '',
    ...shardTable(pair),
    ...section('pools', poolTable(pair), leftOut.pools),
    ...section('links', linkTable(pair), leftOut.reconnectingConnections),
    ...section('breakers', breakerTable(pair), leftOut.breakers),
    '',
    ...openLines(pair),
    ...(own.connections > 0 ? [`not counted: ${String(own.connections)} for statistics`] : []),
    ...(stats.shards.length === 0 ? ['it has no shards'] : []),
  ].join('\n')
}

function summary(pair: Pair): string {
  const { own, stats, main } = pair.after
  const { traffic } = stats
  const rate = rateIn(pair)
  const facts = [
    `connections ${String(Math.max(0, stats.connections - own.connections))}`,
    `listeners ${String(Math.max(0, stats.listeners - own.listeners))}`,
    `connecting ${String(stats.pendingConnects)}`,
    `full sends ${rate(({ stats }) => stats.fullSends)}/s`,
    `main busy ${percent(main.eventLoopUtilization)}`,
  ]
  const frames = [
    `in ${rate(({ stats }) => stats.traffic.framesReceived)}/s`,
    `${rateOfBytes(pair, ({ stats }) => stats.traffic.bytesReceived)}/s`,
    `out ${rate(({ stats }) => stats.traffic.framesSent)}/s`,
    `${rateOfBytes(pair, ({ stats }) => stats.traffic.bytesSent)}/s`,
    `${amount(traffic.framesReceived + traffic.framesSent)} in all`,
  ]
  return `${clip(facts.join(', '))}\n${clip(`frames: ${frames.join(', ')}`)}`
}

type Shard = StatsAnswer['stats']['shards'][number]

function shardTable(pair: Pair): string[] {
  const head = [
    'shard',
    'state',
    'conn',
    'read/s',
    'in B/s',
    'write/s',
    'out B/s',
    'wake/s',
    'handled',
    'busy',
    'late ms',
  ]
  const rows = pair.after.stats.shards.map((shard) => {
    const of = (value: (shard: Shard) => number) => (answer: StatsAnswer) => {
      const same = answer.stats.shards.find((each) => each.shard === shard.shard)
      return same === undefined ? NaN : value(same)
    }
    const rate = rateIn(pair)
    return [
      String(shard.shard),
      shard.generation > 1 ? `${plain(shard.state)} ${String(shard.generation)}` : plain(shard.state),
      String(shard.connections),
      rate(of(({ reads, inlineReads }) => reads + inlineReads)),
      rateOfBytes(
        pair,
        of(({ bytesRead, inlineBytesRead }) => bytesRead + inlineBytesRead),
      ),
      rate(of(({ writes, inlineWrites }) => writes + inlineWrites)),
      rateOfBytes(
        pair,
        of(({ bytesWritten, inlineBytesWritten }) => bytesWritten + inlineBytesWritten),
      ),
      rate(of(({ wakes }) => wakes)),
      rate(of(({ handlers }) => handlers.frames)),
      percent(shard.eventLoopUtilization),
      lateness(pair, shard),
    ]
  })
  return layOut(head, rows, COLUMNS, 2)
}

/** Mean of the samples between both answers. */
function lateness({ before }: Pair, { shard, eventLoopDelay: now }: Shard): string {
  const old = before?.stats.shards.find((each) => each.shard === shard)?.eventLoopDelay
  const samples = now.samples - (old?.samples ?? 0)
  if (samples <= 0) return NONE
  return milliseconds((now.meanMs * now.samples - (old?.meanMs ?? 0) * (old?.samples ?? 0)) / samples)
}

function poolTable(pair: Pair): string[] {
  const head = ['endpoint', 'size', 'idle', 'leased', 'waiting', 'lent/s']
  const rows = pair.after.stats.pools.map((pool, index) => [
    plain(pool.endpoint),
    ...[pool.size, pool.idle, pool.leased, pool.waiting].map(String),
    rateIn(pair)(({ stats }) => {
      const same = stats.pools[index]
      return same?.endpoint === pool.endpoint ? same.acquired : NaN
    }),
  ])
  return rows.length === 0 ? [] : layOut(head, rows, COLUMNS, 1)
}

function linkTable({ after }: Pair): string[] {
  const rows = after.stats.reconnectingConnections.map(({ endpoint, state, attempts, losses }) => [
    plain(endpoint),
    plain(state),
    String(attempts),
    String(losses),
  ])
  return rows.length === 0 ? [] : layOut(['endpoint', 'state', 'attempts', 'losses'], rows, COLUMNS, 2)
}

function breakerTable({ after }: Pair): string[] {
  const rows = after.stats.breakers.map(({ endpoint, state, failures, waiting }) => [
    plain(endpoint),
    plain(state),
    String(failures),
    String(waiting),
  ])
  return rows.length === 0 ? [] : layOut(['endpoint', 'state', 'failures', 'waiting'], rows, COLUMNS, 2)
}

function section(title: string, lines: readonly string[], leftOut: number): string[] {
  if (lines.length === 0) return []
  return ['', title, ...lines, ...(leftOut > 0 ? [`and ${String(leftOut)} more`] : [])]
}

function openLines({ after: { stats } }: Pair): string[] {
  const { byKind, open } = stats.ledger
  const kinds = Object.entries(byKind).filter(([, line]) => line.open > 0)
  const ring = stats.shards.reduce((sum, { ringMemoryBytes }) => sum + ringMemoryBytes, stats.spareRingMemoryBytes)
  const { sharedMemory } = stats
  const shared =
    sharedMemory.state === 'available'
      ? `${String(sharedMemory.connections)} connections, ${bytes(sharedMemory.reservedBytes)}`
      : plain(sharedMemory.state)
  return [
    ...wrap(
      `open: ${String(open)}; `,
      kinds.map(([kind, line]) => `${plain(kind)} ${String(line.open)}`),
    ),
    `ring memory: ${bytes(ring)}; shared with peers: ${shared}`,
  ]
}

function rateIn({ before, after }: Pair): (value: (answer: StatsAnswer) => number) => string {
  return (value) => {
    const rate = perSecond(before, after, value)
    return rate === undefined ? NONE : amount(rate)
  }
}

function rateOfBytes({ before, after }: Pair, value: (answer: StatsAnswer) => number): string {
  const rate = perSecond(before, after, value)
  return rate === undefined ? NONE : bytes(rate)
}

/** Undefined: it is not known. */
function perSecond(
  before: StatsAnswer | undefined,
  after: StatsAnswer,
  value: (answer: StatsAnswer) => number,
): number | undefined {
  if (before?.pid !== after.pid || after.at <= before.at) return undefined
  const rate = ((value(after) - value(before)) * 1_000) / (after.at - before.at)
  return Number.isFinite(rate) && rate >= 0 ? rate : undefined
}

function wrap(first: string, words: readonly string[]): string[] {
  const lines = [first]
  for (const [index, word] of words.entries()) {
    const text = index === words.length - 1 ? word : `${word}, `
    const last = lines.at(-1) ?? ''
    if ((last + text).trimEnd().length <= COLUMNS) lines[lines.length - 1] = last + text
    else lines.push(`  ${text}`)
  }
  return lines.map((line) => line.trimEnd())
}

function clip(text: string): string {
  return text.length <= COLUMNS ? text : `${text.slice(0, COLUMNS - 1)}…`
}

/** No bytes of a peer's command the terminal. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- those are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}
