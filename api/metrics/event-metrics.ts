/** What only events tell. */
import { diagnosticsChannels as channels, type ReconnectingLostEvent } from '../../engine/common/diagnostics.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { eachOf, type EventMetric, type HistogramMetric } from './metric.js'

/** From a twentieth of a millisecond, a socket on the same machine, to a connect timeout. */
const CONNECT_BUCKETS = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 10, 30,
]

/** Its user has ended it: that is no loss. */
const isOrderly = ({ isFinal, code }: ReconnectingLostEvent): boolean => isFinal && code === 'OK'

const codeOf = (error: unknown): string => (error instanceof TransportError ? error.code : 'other')

export const eventMetrics: readonly (EventMetric | HistogramMetric)[] = [
  {
    kind: 'histogram',
    name: 'connect.duration',
    unit: 's',
    help: 'How long attempts to connect took, by outcome.',
    labels: ['kind', 'code'],
    buckets: CONNECT_BUCKETS,
    from: eachOf(channels.connectSettled, ({ kind, code, durationMs }) => ({
      value: durationMs / 1000,
      labels: { kind, code },
    })),
  },
  {
    kind: 'counter',
    name: 'connections.opened',
    unit: '{connection}',
    help: 'Connections that were opened.',
    labels: ['kind', 'role'],
    from: eachOf(channels.connectionOpened, ({ kind, role }) => ({ value: 1, labels: { kind, role } })),
  },
  {
    kind: 'counter',
    name: 'connections.closed',
    unit: '{connection}',
    help: 'Connections that have ended, by how: OK, or an error code.',
    labels: ['kind', 'role', 'code'],
    from: eachOf(channels.connectionClosed, ({ kind, role, code }) => ({ value: 1, labels: { kind, role, code } })),
  },
  {
    kind: 'counter',
    name: 'backpressure',
    unit: '{episode}',
    help: 'Episodes of backpressure: from a send that finds no room until there is room again.',
    from: eachOf(channels.backpressureOn, () => ({ value: 1 })),
  },
  {
    kind: 'counter',
    name: 'shards.lost',
    unit: '{shard}',
    help: 'Shards whose threads have died.',
    labels: ['shard'],
    from: eachOf(channels.shardLost, ({ shard }) => ({ value: 1, labels: { shard: String(shard) } })),
  },
  {
    kind: 'counter',
    name: 'shards.given_up',
    unit: '{shard}',
    help: 'Shards that died too often and do not come back.',
    labels: ['shard'],
    from: eachOf(channels.shardGivenUp, ({ shard }) => ({ value: 1, labels: { shard: String(shard) } })),
  },
  {
    kind: 'counter',
    name: 'listener.refused',
    unit: '{connection}',
    help: 'Connections that listeners have cut, over maxConnections or after a handshake that failed.',
    isNamed: true,
    from: eachOf(channels.listenerRefused, ({ endpoint }) => ({ value: 1, endpoint })),
  },
  {
    kind: 'counter',
    name: 'listener.paused',
    unit: '{pause}',
    help: 'How often a shard stopped accepting because too many connections were not taken.',
    isNamed: true,
    from: eachOf(channels.listenerPaused, ({ endpoint }) => ({ value: 1, endpoint })),
  },
  {
    kind: 'counter',
    name: 'handler.failed',
    unit: '{failure}',
    help: 'Failures of handler modules.',
    isNamed: true,
    from: eachOf(channels.handlerFailed, ({ endpoint }) => ({ value: 1, endpoint })),
  },
  {
    kind: 'counter',
    name: 'pool.exhausted',
    unit: '{request}',
    help: 'Requests that had to wait because all connections of a pool were in use.',
    isNamed: true,
    from: eachOf(channels.poolExhausted, ({ endpoint }) => ({ value: 1, endpoint })),
  },
  {
    kind: 'counter',
    name: 'pool.discarded',
    unit: '{connection}',
    help: 'Connections that left a pool because they were not fit for another user, by why.',
    labels: ['why'],
    isNamed: true,
    from: eachOf(channels.poolDiscarded, ({ endpoint, why }) => ({ value: 1, labels: { why }, endpoint })),
  },
  {
    kind: 'counter',
    name: 'pool.connection_failed',
    unit: '{failure}',
    help: 'How often a pool paused because it could not make a connection, by the error code of the last attempt.',
    labels: ['code'],
    isNamed: true,
    from: eachOf(channels.poolConnectionFailed, ({ endpoint, error }) => ({
      value: 1,
      labels: { code: codeOf(error) },
      endpoint,
    })),
  },
  {
    kind: 'counter',
    name: 'pool.leaks',
    unit: '{lease}',
    help: 'Leases held longer than leakAfterMs.',
    isNamed: true,
    from: eachOf(channels.poolLeak, ({ endpoint }) => ({ value: 1, endpoint })),
  },
  {
    kind: 'counter',
    name: 'reconnecting.attempts',
    unit: '{attempt}',
    help: 'Attempts of reconnecting connections.',
    isNamed: true,
    from: eachOf(channels.reconnectingAttempt, ({ endpoint }) => ({ value: 1, endpoint })),
  },
  {
    kind: 'counter',
    name: 'reconnecting.failures',
    unit: '{attempt}',
    help: 'Of these, those that have failed, by error code.',
    labels: ['code'],
    isNamed: true,
    from: eachOf(channels.reconnectingFailed, ({ endpoint, error }) => ({
      value: 1,
      labels: { code: codeOf(error) },
      endpoint,
    })),
  },
  {
    kind: 'counter',
    name: 'reconnecting.losses',
    unit: '{connection}',
    help: 'Connections that reconnecting connections have lost, by how they ended.',
    labels: ['code'],
    isNamed: true,
    from: eachOf(channels.reconnectingLost, (event) => {
      const { endpoint, code } = event
      return isOrderly(event) ? [] : { value: 1, labels: { code }, endpoint }
    }),
  },
  {
    kind: 'counter',
    name: 'reconnecting.frames',
    unit: '{frame}',
    help: 'Frames of lost connections, by what became of them.',
    labels: ['fate'],
    isNamed: true,
    from: (engine, give) => {
      const stops = [
        eachOf(channels.reconnectingLost, (event) => {
          const { endpoint, unconfirmed, resent, dropped, lost } = event
          const handed_over = isOrderly(event) ? 0 : event.handedOver
          return Object.entries({ handed_over, unconfirmed, resent, dropped, lost }).map(([fate, value]) => ({
            value,
            labels: { fate },
            endpoint,
          }))
        }),
        eachOf(channels.reconnectingClosed, ({ endpoint, dropped }) => ({
          value: dropped,
          labels: { fate: 'dropped' },
          endpoint,
        })),
      ].map((from) => from(engine, give))
      return () => {
        for (const stop of stops) stop()
      }
    },
  },
  {
    kind: 'counter',
    name: 'reconnecting.gave_up',
    unit: '{connection}',
    help: 'Reconnecting connections that reached their limits.',
    isNamed: true,
    from: eachOf(channels.reconnectingGaveUp, ({ endpoint }) => ({ value: 1, endpoint })),
  },
  {
    kind: 'counter',
    name: 'breaker.opened',
    unit: '{time}',
    help: 'How often circuit breakers have opened.',
    isNamed: true,
    from: eachOf(channels.breakerOpened, ({ endpoint }) => ({ value: 1, endpoint })),
  },
]
