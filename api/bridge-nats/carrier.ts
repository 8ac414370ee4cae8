/** All connections that one bridge carries: who hears what, what is known of those that are over, and how all ends. */
import type { Msg, Subscription } from '@nats-io/transport-node'
import type { Connection } from '../../engine/common/connection.js'
import type { Clock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { BridgeSettings } from './bridge-options.js'
import { CarriedConnection, type CarriedEvents } from './carried-connection.js'
import type { NatsLink } from './nats-link.js'
import { decodePacket, encodeReset, type EndCode, type Packet, type Terms } from './packet.js'
import { isLoss, type ConnectionReport } from './reports.js'
import { bridgeSubject, isBridgeSubject, lastWord, openSubject, randomWord } from './subject.js'

/** How often is looked after silent connections, at least, in milliseconds. */
const MOST_TICK_MS = 1_000
/** Of how many connections that are over is remembered how they ended. */
const MOST_REMEMBERED = 1_024

export class Carrier {
  readonly #link: NatsLink
  readonly #settings: BridgeSettings
  readonly #clock: Clock
  readonly #bridge = randomWord()
  readonly #connections = new Map<string, CarriedConnection>()
  /** By connection, oldest first: what its bridge is told if it has not heard the end. */
  readonly #lastWords = new Map<string, readonly Buffer[]>()
  readonly #subscription: Subscription
  readonly #cancelListening: () => void
  readonly #events: CarriedEvents
  #cancelTick = (): void => undefined
  #downSince: number | undefined
  #onEmpty: (() => void) | undefined
  /** Of connections that are over. */
  readonly #past = { handedOver: 0, unconfirmed: 0, unsent: 0, received: 0, delivered: 0 }
  ended = 0
  failed = 0
  resent = 0
  duplicates = 0

  constructor(link: NatsLink, settings: BridgeSettings, clock: Clock, onClosed: (error: TransportError) => void) {
    this.#link = link
    this.#settings = settings
    this.#clock = clock
    this.#events = {
      onReport: (report) => this.#onReport(report),
      onEnded: ({ id }, lastWords) => this.#onEnded(id, lastWords),
      onResent: (packets) => (this.resent += packets),
      onDuplicate: () => this.duplicates++,
    }
    this.#subscription = link.subscribe(bridgeSubject(settings.subject, this.#bridge, '*'), (message) => {
      this.#onMessage(message)
    })
    this.#cancelListening = link.listen({
      onUp: () => {
        this.#downSince = undefined
        for (const connection of this.#all) connection.onUp()
      },
      onDown: () => (this.#downSince = clock.now()),
      onError: (error) => this.report(error),
      onClosed,
    })
    this.#tickLater()
  }

  get size(): number {
    return this.#connections.size
  }

  get isFull(): boolean {
    return this.size >= this.#settings.maxConnections
  }

  /** Whether the server lets it listen. */
  get isRefused(): boolean {
    return this.#subscription.isClosed()
  }

  /** Sums over all connections, those that are open too. */
  get frames() {
    const sum = { ...this.#past, onTheWay: 0, bytesOnTheWay: 0 }
    for (const { counts, framesOnTheWay, bytesOnTheWay } of this.#connections.values()) {
      sum.handedOver += counts.handedOver
      sum.received += counts.received
      sum.delivered += counts.delivered
      sum.onTheWay += framesOnTheWay
      sum.bytesOnTheWay += bytesOnTheWay
    }
    return sum
  }

  get opening(): number {
    return this.#all.filter(({ isOpen }) => !isOpen).length
  }

  has(id: string): boolean {
    return this.#connections.has(id)
  }

  /** Asks the bridges that dial for a counterpart of this connection. */
  ask(local: Connection): void {
    this.#carry(local, randomWord(), openSubject(this.#settings.subject), undefined)
  }

  /** This connection is the counterpart of the one that `there` has asked for. */
  answer(local: Connection, id: string, there: string, terms: Terms): void {
    this.#carry(local, id, there, terms)
  }

  /** What a bridge that asks again is told: the answer once more. */
  askedAgain(id: string, packet: Packet): void {
    this.#connections.get(id)?.onPacket(packet, undefined)
  }

  refuse(there: string, code: EndCode): void {
    this.#link.publish(there, encodeReset(code))
  }

  /** Ends all in order, and what is not over after `graceMs` at once. */
  async close(graceMs: number): Promise<void> {
    for (const connection of this.#all) connection.wind()
    if (this.size > 0) {
      let cancel = (): void => undefined
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        cancel = this.#clock.setTimer(resolve, graceMs)
      })
      cancel()
    }
    this.#cancelTick()
    this.cut('ERR_CLOSED', undefined)
    this.#cancelListening()
    if (!this.#link.connection.isClosed()) this.#subscription.unsubscribe()
  }

  cut(code: EndCode, cause: Error | undefined): void {
    for (const connection of this.#all) connection.cut(code, cause)
  }

  /** Something that ends no bridge. */
  report(error: TransportError): void {
    callBack(this.#settings.onError, error)
  }

  get #all(): readonly CarriedConnection[] {
    return [...this.#connections.values()]
  }

  #carry(local: Connection, id: string, there: string, terms: Terms | undefined): void {
    const { windowBytes, windowFrames, maxFrameBytes, openTimeoutMs, peerTimeoutMs } = this.#settings
    const meeting = { id, here: bridgeSubject(this.#settings.subject, this.#bridge, id), there }
    const settings = {
      terms: { windowBytes, windowFrames, maxFrameBytes },
      openTimeoutMs,
      peerTimeoutMs,
      clock: this.#clock,
    }
    this.#connections.set(id, new CarriedConnection(local, this.#link, meeting, terms, settings, this.#events))
  }

  #onMessage({ subject, reply, data }: Msg): void {
    const id = lastWord(subject)
    if (data.length === 0) {
      this.#connections.get(id)?.onNobody()
      return
    }
    const there = isBridgeSubject(reply, this.#settings.subject) ? reply : undefined
    const connection = this.#connections.get(id)
    let packet: Packet
    try {
      packet = decodePacket(data)
    } catch (error) {
      if (connection === undefined) this.report(error as TransportError)
      else connection.cut((error as TransportError).code, error as Error)
      return
    }
    if (connection !== undefined) connection.onPacket(packet, there)
    else if (there !== undefined && (packet.kind === 'state' || packet.kind === 'accept')) {
      const words = this.#lastWords.get(id) ?? [encodeReset('ERR_CLOSED')]
      for (const word of words) this.#link.publish(there, word)
    }
  }

  #onReport(report: ConnectionReport): void {
    for (const name of ['handedOver', 'unconfirmed', 'unsent', 'received', 'delivered'] as const) {
      this.#past[name] += report[name]
    }
    this.ended++
    if (!isLoss(report)) return
    this.failed++
    callBack(this.#settings.onLoss, report)
  }

  #onEnded(id: string, lastWords: readonly Buffer[]): void {
    this.#connections.delete(id)
    this.#lastWords.set(id, lastWords)
    if (this.#lastWords.size > MOST_REMEMBERED) {
      for (const oldest of this.#lastWords.keys()) {
        this.#lastWords.delete(oldest)
        break
      }
    }
    if (this.size === 0) this.#onEmpty?.()
  }

  #tickLater(): void {
    const ms = Math.min(MOST_TICK_MS, Math.ceil(this.#settings.peerTimeoutMs / 4))
    const onTick = (): void => {
      this.#tickLater()
      const { outageMs } = this.#settings
      const isLong = this.#downSince !== undefined && this.#clock.now() - this.#downSince >= outageMs
      if (isLong) this.cut('ERR_TIMEOUT', outageError(outageMs))
      for (const connection of this.#all) connection.tick()
    }
    this.#cancelTick = this.#clock.setTimer(onTick, ms, { keepsAlive: false })
  }
}

/** A function of the host's that fails is a process warning: there is nobody else to tell. */
export function callBack<T>(callback: ((value: T) => void) | undefined, value: T): void {
  try {
    callback?.(value)
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error), { detail: 'thrown by a callback of a bridge' })
  }
}

function outageError(ms: number): TransportError {
  const message = `there was no connection to NATS for ${String(ms)} ms (outageMs).`
  return new TransportError('ERR_TIMEOUT', message)
}
