/** Of an engine as a whole, and of what it has by name: read from its statistics. */
import type { EngineStats, ReconnectingState, BreakerStats } from '../index.js'
import type { Sample, StatsMetric } from './metric.js'

const row = (
  kind: StatsMetric['kind'],
  name: string,
  unit: StatsMetric['unit'],
  help: string,
  of: (stats: EngineStats) => number,
): StatsMetric => ({ kind, name, unit, help, read: (stats) => [{ value: of(stats) }] })

/** How many things are in each state, and 0 for states that none is in. */
function byState<State extends string>(
  states: readonly State[],
  things: readonly { readonly endpoint: string; readonly state: State }[],
): readonly Sample[] {
  const found = things.map(({ endpoint, state }) => ({ value: 1, labels: { state }, endpoint }))
  return [...states.map((state) => ({ value: 0, labels: { state } })), ...found]
}

const reconnectingStates: readonly ReconnectingState[] = ['connecting', 'connected', 'waiting', 'closing', 'closed']
const breakerStates: readonly BreakerStats['state'][] = ['closed', 'open', 'half-open']
const memberStates = ['connecting', 'validating', 'idle', 'leased'] as const

export const engineMetrics: readonly StatsMetric[] = [
  row('gauge', 'connections', '{connection}', 'Open connections.', (s) => s.connections),
  row('gauge', 'connects.pending', '{attempt}', 'Attempts to connect that are under way.', (s) => s.pendingConnects),
  row('gauge', 'listeners', '{listener}', 'Open listeners.', (s) => s.listeners),
  row('counter', 'frames.sent', '{frame}', 'Frames sent, but by handler modules.', (s) => s.traffic.framesSent),
  row(
    'counter',
    'frames.received',
    '{frame}',
    'Frames received, but by handler modules.',
    (s) => s.traffic.framesReceived,
  ),
  row('counter', 'payload.sent', 'By', 'Payload of the frames sent.', (s) => s.traffic.bytesSent),
  row('counter', 'payload.received', 'By', 'Payload of the frames received.', (s) => s.traffic.bytesReceived),
  row('counter', 'sends.full', '{send}', 'Sends that have returned false: no room.', (s) => s.fullSends),
  row('gauge', 'ring_memory_spare', 'By', 'Shared memory for rings that no shard has.', (s) => s.spareRingMemoryBytes),
  row('gauge', 'shared_memory.unavailable', '{engine}', '1 if shared memory was asked for and cannot be had.', (s) =>
    s.sharedMemory.state === 'unavailable' ? 1 : 0,
  ),
  row(
    'gauge',
    'shared_memory.connections',
    '{connection}',
    'Connections over shared memory.',
    (s) => s.sharedMemory.connections,
  ),
  row(
    'gauge',
    'shared_memory.reserved',
    'By',
    'Memory reserved in their segments.',
    (s) => s.sharedMemory.reservedBytes,
  ),
  {
    kind: 'gauge',
    name: 'pool.connections',
    unit: '{connection}',
    help: 'Connections of pools.',
    labels: ['state'],
    isNamed: true,
    read: ({ pools }) => [
      ...memberStates.map((state) => ({ value: 0, labels: { state } })),
      ...pools.flatMap(({ endpoint, ...pool }) =>
        memberStates.map((state) => ({ value: pool[state], labels: { state }, endpoint })),
      ),
    ],
  },
  {
    kind: 'gauge',
    name: 'pool.waiting',
    unit: '{request}',
    help: 'Requests that wait for a connection of a pool.',
    isNamed: true,
    read: ({ pools }) => [{ value: 0 }, ...pools.map(({ endpoint, waiting }) => ({ value: waiting, endpoint }))],
  },
  row('counter', 'pool.created', '{connection}', 'Connections that pools have made.', (s) => s.poolTotals.created),
  row('counter', 'pool.destroyed', '{connection}', 'Connections that have left pools.', (s) => s.poolTotals.destroyed),
  row('counter', 'pool.acquired', '{lease}', 'Leases granted.', (s) => s.poolTotals.acquired),
  row(
    'counter',
    'pool.reused',
    '{lease}',
    'Leases of connections that were leased before.',
    (s) => s.poolTotals.reused,
  ),
  {
    kind: 'gauge',
    name: 'reconnecting.connections',
    unit: '{connection}',
    help: 'Reconnecting connections.',
    labels: ['state'],
    isNamed: true,
    read: ({ reconnectingConnections }) => byState(reconnectingStates, reconnectingConnections),
  },
  {
    kind: 'gauge',
    name: 'breakers',
    unit: '{breaker}',
    help: 'Circuit breakers.',
    labels: ['state'],
    isNamed: true,
    read: ({ breakers }) => byState(breakerStates, breakers),
  },
  {
    kind: 'gauge',
    name: 'breaker.waiting',
    unit: '{connection}',
    help: 'Reconnecting connections that wait for a circuit breaker.',
    isNamed: true,
    read: ({ breakers }) => [{ value: 0 }, ...breakers.map(({ endpoint, waiting }) => ({ value: waiting, endpoint }))],
  },
  {
    kind: 'gauge',
    name: 'resources.open',
    unit: '{resource}',
    help: 'What the ledger counts as opened and not released.',
    labels: ['resource'],
    read: ({ ledger }) =>
      Object.entries(ledger.byKind).map(([resource, { open }]) => ({ value: open, labels: { resource } })),
  },
]
