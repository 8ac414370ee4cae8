/** What is worth a line in a log. Each channel is observed only while this is, and costs next to nothing otherwise. */
import { diagnosticsChannels as channels, observe } from 'symphony-transport'

export function logEvents(log) {
  const stops = [
    observe(channels.listenerOpened, (event) => log.info(event, 'listening')),
    observe(channels.connectionClosed, ({ cause, ...event }) => {
      if (event.code === 'OK') log.debug(event, 'connection closed')
      else log.warn({ ...event, err: cause }, 'connection failed')
    }),
    observe(channels.backpressureOn, (event) => log.debug(event, 'backpressure')),
    observe(channels.shardLost, ({ error, ...event }) => log.error({ ...event, err: error }, 'shard lost')),
    observe(channels.shardRestored, (event) => log.info(event, 'shard restored')),
    observe(channels.shardGivenUp, ({ error, ...event }) => log.fatal({ ...event, err: error }, 'shard given up')),
    observe(channels.reconnectingLost, ({ cause, ...event }) => {
      if (!event.isFinal) log.warn({ ...event, err: cause }, 'connection lost, reconnecting')
    }),
    observe(channels.breakerOpened, ({ error, ...event }) => log.warn({ ...event, err: error }, 'peer is away')),
    observe(channels.poolExhausted, (event) => log.warn(event, 'pool exhausted')),
    observe(channels.handlerFailed, ({ error, ...event }) => log.error({ ...event, err: error }, 'handler failed')),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
