/** A bridge from messages to frames: what is published on a subject goes to all local connections. */
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import type { TransportError } from '../../engine/protocol/errors.js'
import { makeListeningBridge, type Bridge } from './bridge.js'
import { callBack } from './carrier.js'
import { DurableMessages } from './durable-messages.js'
import { readSubscribeOptions, type SubscribeOptions } from './message-options.js'
import type { SubscribeStats } from './message-reports.js'
import { linkTo } from './nats-input.js'
import { refusedSubject } from './refused-subject.js'
import { Subscribers } from './subscribers.js'

/**
 * Listens at a local endpoint, and gives each of its connections every message of a subject as a frame. A connection
 * that sends a frame itself is ended.
 *
 * Without `durable` a message goes to those who are connected when it comes, and one who reads so slowly that its
 * `maxPendingBytes` is full is ended with ERR_BACKPRESSURE. With it, one message after the other is handed over to all
 * who are connected, no faster than the slowest of them reads, and acknowledged then.
 *
 * Rejects with ERR_INVALID_OPTION; ERR_NOT_FOUND if a package is not installed, or no stream takes the subject;
 * ERR_REFUSED, ERR_ACCESS, ERR_TIMEOUT or ERR_IO of NATS; and as `transport.listen()` does.
 */
export function subscribeToNats(options: SubscribeOptions): Promise<Bridge<SubscribeStats>> {
  return startSubscribing(options, systemClock)
}

async function startSubscribing(options: SubscribeOptions, clock: Clock): Promise<Bridge<SubscribeStats>> {
  const settings = readSubscribeOptions(options)
  const { subject, durable, ackWaitMs } = settings
  const { link, release } = await linkTo(settings.nats, clock)
  let fail: (error: TransportError) => void = () => undefined
  const report = (error: TransportError): void => callBack(settings.onError, error)
  const cancelListening = link.listen({
    onUp: () => undefined,
    onDown: () => undefined,
    onError: report,
    onClosed: (error) => fail(error),
  })
  const subscribers = new Subscribers(settings.maxConnections, report)
  try {
    let stop: () => Promise<void>
    if (durable === undefined) {
      const subscription = link.subscribe(subject, ({ data }) => subscribers.tell(data))
      await link.flush()
      if (subscription.isClosed()) throw refusedSubject(subject)
      stop = () => {
        if (!link.connection.isClosed()) subscription.unsubscribe()
        return Promise.resolve()
      }
    } else {
      const messages = await DurableMessages.begin(link, subscribers, { subject, durable, ackWaitMs, clock }, report)
      stop = () => messages.stop()
    }
    const listener = await settings.transport.listen((local) => subscribers.add(local))
    const made = makeListeningBridge(listener, {
      subject,
      stats: () => ({ nats: link.state, reconnects: link.reconnects, ...subscribers.stats }),
      async end(graceMs) {
        await stop()
        await subscribers.close(graceMs, clock)
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
