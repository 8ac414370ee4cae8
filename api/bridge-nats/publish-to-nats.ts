/** A bridge from frames to messages: what local connections send is published. */
import type { Connection } from '../../engine/common/connection.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { makeListeningBridge, type Bridge } from './bridge.js'
import { callBack } from './carrier.js'
import { readPublishOptions, type PublishOptions, type PublishSettings } from './message-options.js'
import type { PublishStats } from './message-reports.js'
import { CorePublisher, loadJetStream, StreamPublisher, streamOf, type MessagePublisher } from './message-publishers.js'
import { linkTo } from './nats-input.js'
import type { NatsLink } from './nats-link.js'
import { PublishedConnection } from './published-connection.js'
import { randomWord } from './subject.js'

/**
 * Listens at a local endpoint, and publishes each frame of its connections as a message on a subject: in order for each
 * connection, and no faster than the server takes them. The connections get nothing back, and see the end of the stream
 * once they have ended theirs and all is confirmed.
 *
 * Rejects with ERR_INVALID_OPTION; ERR_NOT_FOUND if a package is not installed, or no stream takes the subject;
 * ERR_REFUSED, ERR_ACCESS, ERR_TIMEOUT or ERR_IO of NATS; and as `transport.listen()` does.
 */
export function publishToNats(options: PublishOptions): Promise<Bridge<PublishStats>> {
  return startPublishing(options, systemClock)
}

async function startPublishing(options: PublishOptions, clock: Clock): Promise<Bridge<PublishStats>> {
  const settings = readPublishOptions(options)
  const { link, release } = await linkTo(settings.nats, clock)
  const connections = new Set<PublishedConnection>()
  const past = { handedOver: 0, unconfirmed: 0, unsent: 0, duplicates: 0 }
  let ended = 0
  let refused = 0
  let fail: (error: TransportError) => void = () => undefined
  const cancelListening = link.listen({
    onUp: () => undefined,
    onDown: () => undefined,
    onError: (error) => callBack(settings.onError, error),
    onClosed: (error) => fail(error),
  })
  const take = (local: Connection, publisher: MessagePublisher): void => {
    if (connections.size >= settings.maxConnections) {
      refused++
      local.destroy(new TransportError('ERR_TOO_MANY_CONNECTIONS', 'the bridge has maxConnections already.'))
      return
    }
    const connection = new PublishedConnection(local, link, publisher, settings.windowBytes, randomWord())
    connections.add(connection)
    void connection.run().then((report) => {
      connections.delete(connection)
      ended++
      const { counts } = connection
      for (const name of ['handedOver', 'unconfirmed', 'unsent', 'duplicates'] as const) past[name] += counts[name]
      if (report.code !== 'OK' || report.unconfirmed + report.unsent > 0) callBack(settings.onLoss, report)
    })
  }
  const stats = (): PublishStats => {
    const frames = { ...past, onTheWay: 0 }
    for (const { counts } of connections) {
      for (const name of ['handedOver', 'unconfirmed', 'unsent', 'duplicates', 'onTheWay'] as const) {
        frames[name] += counts[name]
      }
    }
    const { state: nats, reconnects } = link
    return { nats, reconnects, connections: { open: connections.size, ended, refused }, frames }
  }
  try {
    const publisher = await publisherFor(link, settings, clock)
    const listener = await settings.transport.listen((local) => take(local, publisher))
    const made = makeListeningBridge(listener, {
      subject: settings.subject,
      stats,
      async end(graceMs) {
        const all = [...connections]
        for (const connection of all) connection.wind()
        const cancel = clock.setTimer(() => {
          for (const connection of all) connection.cut()
        }, graceMs)
        await Promise.all(all.map(({ over }) => over))
        cancel()
        cancelListening()
        await release()
      },
    })
    fail = made.fail
    return made.bridge
  } catch (error) {
    cancelListening()
    await release()
    throw error
  }
}

async function publisherFor(link: NatsLink, settings: PublishSettings, clock: Clock): Promise<MessagePublisher> {
  const { subject, jetstream: isStored, outageMs } = settings
  if (!isStored) return new CorePublisher(link, subject, clock)
  await streamOf(link, subject)
  const { jetstream } = await loadJetStream()
  return new StreamPublisher(link, jetstream(link.connection), subject, outageMs, clock)
}
