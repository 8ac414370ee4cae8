/** A bridge whose local side dials: a connection for each one that a listening bridge has taken. */
import type { Msg } from '@nats-io/transport-node'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import type { TransportError } from '../../engine/protocol/errors.js'
import { makeBridge, type Bridge } from './bridge.js'
import { readBridgeOptions, type BridgeOptions, type BridgeSettings } from './bridge-options.js'
import { Carrier } from './carrier.js'
import { connectionStats, type ConnectionBridgeStats } from './connection-stats.js'
import { linkTo } from './nats-input.js'
import { decodePacket, type EndCode, type Packet } from './packet.js'
import { refusedSubject } from './refused-subject.js'
import { isBridgeSubject, lastWord, openSubject } from './subject.js'

/** Bridges of one subject share what is asked for. */
const QUEUE = 'symphony-transport'

/** How many refusals are remembered. */
const MOST_REMEMBERED = 256

/**
 * Dials a local endpoint for each connection that a bridge of `listenOverNats()` with the same subject has taken. Start
 * several, on as many machines as you like: each connection goes to one of them.
 *
 * Rejects with ERR_INVALID_OPTION; ERR_REFUSED, ERR_ACCESS, ERR_TIMEOUT or ERR_IO of NATS; ERR_NOT_FOUND if
 * `@nats-io/transport-node` is not installed. The endpoint is not dialled before it is asked for.
 */
export function dialOverNats(options: BridgeOptions): Promise<Bridge<ConnectionBridgeStats>> {
  return startDialling(options, systemClock)
}

export async function startDialling(options: BridgeOptions, clock: Clock): Promise<Bridge<ConnectionBridgeStats>> {
  const settings = readBridgeOptions(options, 'dialOverNats()')
  const { link, release } = await linkTo(settings.nats, clock)
  let fail: (error: TransportError) => void = () => undefined
  const carrier = new Carrier(link, settings, clock, (error) => fail(error))
  const dials = new Dials(settings, carrier)
  const asked = link.subscribe(openSubject(settings.subject), (message) => dials.onAsked(message), QUEUE)
  try {
    await link.flush()
    if (asked.isClosed() || carrier.isRefused) throw refusedSubject(settings.subject)
  } catch (error) {
    await carrier.close(0)
    await release()
    throw error
  }
  const made = makeBridge({
    subject: settings.subject,
    endpoint: settings.transport.endpoint,
    stats: () => connectionStats(link, carrier, dials.refused),
    async end(graceMs) {
      if (!link.connection.isClosed()) asked.unsubscribe()
      dials.abort()
      await carrier.close(graceMs)
      await release()
    },
  })
  fail = made.fail
  return made.bridge
}

/** Connections that are asked for and not there yet. */
class Dials {
  refused = 0
  readonly #settings: BridgeSettings
  readonly #carrier: Carrier
  readonly #underWay = new Set<string>()
  /** What was refused of late, oldest first: a bridge that asks again has not heard it. */
  readonly #refusals = new Map<string, EndCode>()
  readonly #stop = new AbortController()

  constructor(settings: BridgeSettings, carrier: Carrier) {
    this.#settings = settings
    this.#carrier = carrier
  }

  abort(): void {
    this.#stop.abort()
  }

  onAsked({ reply, data }: Msg): void {
    if (!isBridgeSubject(reply, this.#settings.subject)) return
    let packet: Packet
    try {
      packet = decodePacket(data)
    } catch (error) {
      this.#carrier.report(error as TransportError)
      return
    }
    if (packet.kind !== 'open') return
    const id = lastWord(reply)
    const refusal = this.#refusals.get(id)
    if (refusal !== undefined) this.#carrier.refuse(reply, refusal)
    else if (this.#carrier.has(id)) this.#carrier.askedAgain(id, packet)
    else if (this.#underWay.has(id)) return
    else if (this.#carrier.size + this.#underWay.size >= this.#settings.maxConnections) {
      this.#refuse(id, reply, 'ERR_TOO_MANY_CONNECTIONS')
    } else void this.#dial(id, reply, packet)
  }

  #refuse(id: string, there: string, code: EndCode): void {
    this.refused++
    this.#carrier.refuse(there, code)
    this.#refusals.set(id, code)
    const [oldest] = this.#refusals.keys()
    if (this.#refusals.size > MOST_REMEMBERED && oldest !== undefined) this.#refusals.delete(oldest)
  }

  async #dial(id: string, there: string, { terms }: Extract<Packet, { kind: 'open' | 'accept' }>): Promise<void> {
    this.#underWay.add(id)
    const { transport, openTimeoutMs } = this.#settings
    try {
      const local = await transport.connect({ signal: this.#stop.signal, timeoutMs: openTimeoutMs })
      if (this.#stop.signal.aborted) {
        local.destroy()
        this.#refuse(id, there, 'ERR_CLOSED')
      } else this.#carrier.answer(local, id, there, terms)
    } catch (error) {
      const isStopped = this.#stop.signal.aborted
      this.#refuse(id, there, isStopped ? 'ERR_CLOSED' : (error as TransportError).code)
      if (!isStopped) this.#carrier.report(error as TransportError)
    } finally {
      this.#underWay.delete(id)
    }
  }
}
