/** A bridge whose local side listens: each local connection goes on at a bridge that dials. */
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { makeListeningBridge, type Bridge } from './bridge.js'
import { readBridgeOptions, type BridgeOptions } from './bridge-options.js'
import { Carrier } from './carrier.js'
import { connectionStats, type ConnectionBridgeStats } from './connection-stats.js'
import { linkTo } from './nats-input.js'
import { refusedSubject } from './refused-subject.js'

/**
 * Listens at a local endpoint, and has each connection go on over NATS at a bridge that `dialOverNats()` has made for
 * the same subject: frame for frame, in order, each once, with ends, codes and backpressure. Of several such bridges
 * one takes each connection. It listens before this resolves.
 *
 * Rejects with ERR_INVALID_OPTION; ERR_REFUSED, ERR_ACCESS, ERR_TIMEOUT or ERR_IO of NATS; ERR_NOT_FOUND if
 * `@nats-io/transport-node` is not installed; and as `transport.listen()` does.
 */
export function listenOverNats(options: BridgeOptions): Promise<Bridge<ConnectionBridgeStats>> {
  return startListening(options, systemClock)
}

export async function startListening(options: BridgeOptions, clock: Clock): Promise<Bridge<ConnectionBridgeStats>> {
  const settings = readBridgeOptions(options, 'listenOverNats()')
  const { link, release } = await linkTo(settings.nats, clock)
  let refused = 0
  let fail: (error: TransportError) => void = () => undefined
  const carrier = new Carrier(link, settings, clock, (error) => fail(error))
  try {
    await link.flush()
    if (carrier.isRefused) throw refusedSubject(settings.subject)
    const listener = await settings.transport.listen((local) => {
      if (!carrier.isFull) {
        carrier.ask(local)
        return
      }
      refused++
      local.destroy(new TransportError('ERR_TOO_MANY_CONNECTIONS', 'the bridge carries maxConnections already.'))
    })
    const made = makeListeningBridge(listener, {
      subject: settings.subject,
      stats: () => connectionStats(link, carrier, refused),
      async end(graceMs) {
        await carrier.close(graceMs)
        await release()
      },
    })
    fail = made.fail
    return made.bridge
  } catch (error) {
    await carrier.close(0)
    await release()
    throw error
  }
}
