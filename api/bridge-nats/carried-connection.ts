/**
 * One local connection and its counterpart at another bridge. Both bridges run the same: one has asked for the
 * connection (`opens`), the other has dialled its local endpoint for it (`accepts`).
 */
import type { Connection } from '../../engine/common/connection.js'
import type { Clock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { LocalWriter } from './local-writer.js'
import type { NatsLink } from './nats-link.js'
import {
  encodeReset,
  encodeState,
  encodeTerms,
  PART_BYTES,
  stamp,
  type EndCode,
  type Packet,
  type Sequenced,
  type State,
  type Terms,
} from './packet.js'
import { ReceiveHalf } from './receive-half.js'
import type { ConnectionReport } from './reports.js'
import { SendHalf } from './send-half.js'

/** Most bytes of a packet. */
const PACKET_BYTES = 65_536
/** How soon the other bridge hears what was handed over, in milliseconds, and how seldom it is looked for. */
const FIRST_LOOK_MS = 2
const LAST_LOOK_MS = 64

export interface CarriedSettings {
  readonly terms: Terms
  readonly openTimeoutMs: number
  readonly peerTimeoutMs: number
  readonly clock: Clock
}

/** Who is talked to: where this bridge hears of the connection, and where the other one does. */
export interface Meeting {
  readonly id: string
  readonly here: string
  /** Where it is asked for, or the other bridge. */
  readonly there: string
}

export interface CarriedEvents {
  onReport(report: ConnectionReport): void
  /** Nothing follows. `lastWords`: what to answer if the other bridge asks once more. */
  onEnded(connection: CarriedConnection, lastWords: readonly Buffer[]): void
  onResent(packets: number): void
  onDuplicate(): void
}

type Life =
  /** Nobody has answered yet; the other side's first word is awaited. */
  | { readonly kind: 'opens' }
  | { readonly kind: 'accepts'; readonly peer: string; readonly terms: Terms }
  | { readonly kind: 'open'; readonly peer: string; readonly send: SendHalf; readonly mostBytes: number }
  | { readonly kind: 'ended' }

export class CarriedConnection {
  readonly id: string
  readonly #local: Connection
  readonly #link: NatsLink
  readonly #meeting: Meeting
  readonly #settings: CarriedSettings
  readonly #events: CarriedEvents
  readonly #writer: LocalWriter
  readonly #receive: ReceiveHalf
  readonly #stop = new AbortController()
  readonly #stopReading = new AbortController()
  #life: Life
  #onRoom: (() => void) | undefined
  #flushes = false
  /** The server has not taken yet what was published again. */
  #resends = false
  /** Frames that were taken and that the other bridge cannot be given. */
  #refused = 0
  /** The last account of what was handed over that was published. */
  #told = 0
  #cancelLook: (() => void) | undefined
  #lookMs = FIRST_LOOK_MS
  #heardAt: number
  readonly #since: number
  /** When the other bridge is greeted once more, unless it has spoken. */
  #greetAt: number
  /** Why it ends, once that is known and is not a clean end. */
  #reason: { readonly code: EndCode; readonly cause: Error | undefined } | undefined
  #isWinding = false

  /** `terms`: what the other bridge has said, if it has asked for the connection. */
  constructor(
    local: Connection,
    link: NatsLink,
    meeting: Meeting,
    terms: Terms | undefined,
    settings: CarriedSettings,
    events: CarriedEvents,
  ) {
    this.id = meeting.id
    this.#local = local
    this.#link = link
    this.#meeting = meeting
    this.#settings = settings
    this.#events = events
    this.#heardAt = settings.clock.now()
    this.#since = this.#heardAt
    this.#greetAt = this.#heardAt
    this.#life = terms === undefined ? { kind: 'opens' } : { kind: 'accepts', peer: meeting.there, terms }
    this.#receive = new ReceiveHalf(settings.terms)
    this.#writer = new LocalWriter(local, (error) => this.#onUndeliverable(error))
    void local.closed.then(({ code, cause }) => {
      // What was received stays readable: whoever reads it finds the same reason behind it.
      if (code !== 'OK' && !this.#isReading) this.#fail(code, cause)
    })
    this.greet()
  }

  get isOpen(): boolean {
    return this.#life.kind === 'open'
  }

  /** Frames that were taken and whose fate is not known yet. */
  get framesOnTheWay(): number {
    return this.#life.kind === 'open' ? this.#life.send.framesKept : 0
  }

  get bytesOnTheWay(): number {
    return this.#life.kind === 'open' ? this.#life.send.bytesKept : 0
  }

  /** As `framesHandedOver` and such of its report: those that are known while it is open. */
  get counts(): Pick<ConnectionReport, 'handedOver' | 'received' | 'delivered'> {
    const { framesReceived: received, framesHandedOver: delivered } = this.#receive
    return { handedOver: this.#life.kind === 'open' ? this.#life.send.fates.handedOver : 0, received, delivered }
  }

  /** Asks for the connection, or says that there is one: again and again, until the other bridge has spoken. */
  greet(): void {
    this.#greetAt = this.#settings.clock.now() + this.#settings.openTimeoutMs / 3
    const { terms } = this.#settings
    const { here, there } = this.#meeting
    if (this.#life.kind === 'opens') this.#link.publish(there, encodeTerms('open', terms), here)
    else if (this.#life.kind === 'accepts') this.#link.publish(this.#life.peer, encodeTerms('accept', terms), here)
  }

  /** The server says that nobody hears this bridge: the greeting is repeated soon. */
  onNobody(): void {
    this.#greetAt = 0
  }

  /** NATS is there again: what is missing at either side is found out. */
  onUp(): void {
    this.#heardAt = this.#settings.clock.now()
    this.#receive.forgetAsking()
    this.greet()
    if (this.#life.kind !== 'open') return
    this.#tell({ asks: true, misses: false })
    this.#publish()
  }

  /** Time has passed. */
  tick(): void {
    const life = this.#life
    const now = this.#settings.clock.now()
    const { openTimeoutMs, peerTimeoutMs } = this.#settings
    if (life.kind === 'opens' || life.kind === 'accepts') {
      if (now - this.#since < openTimeoutMs) {
        if (now >= this.#greetAt) this.greet()
      } else this.#fail('ERR_TIMEOUT', lateError(openTimeoutMs, this.#local.info.endpoint))
    } else if (life.kind === 'open' && this.#link.isUp) {
      if (now - this.#heardAt >= peerTimeoutMs) {
        this.#fail('ERR_TIMEOUT', silentError(peerTimeoutMs, this.#local.info.endpoint))
        return
      }
      this.#receive.forgetAsking()
      if (now - this.#heardAt >= peerTimeoutMs / 4 || life.send.framesKept > 0 || life.send.isEnded) {
        this.#tell({ asks: true, misses: false })
      }
    }
  }

  /** What the other bridge has sent, and where it says that it hears of this connection. */
  onPacket(packet: Packet, reply: string | undefined): void {
    const life = this.#life
    if (life.kind === 'ended') return
    try {
      switch (packet.kind) {
        case 'open':
          // It has not heard the answer.
          this.greet()
          return
        case 'accept':
          this.#onAccept(packet.terms, reply)
          return
        case 'reset':
          this.#finish(packet.code === 'OK' ? 'ERR_CLOSED' : packet.code, undefined, false)
          return
        default:
          if (life.kind === 'opens') return
          this.#heardAt = this.#settings.clock.now()
          if (life.kind === 'accepts') this.#begin(life.peer, life.terms)
          if (packet.kind === 'state') this.#onState(packet)
          else this.#onSequenced(packet)
      }
    } catch (error) {
      const { code } = error as TransportError
      this.#fail(code, error as Error)
    }
  }

  /** Ends it in order: what was taken is handed over at the other side, and what has come at this one. */
  wind(): void {
    if (this.#life.kind !== 'open') {
      this.#fail('ERR_CLOSED', undefined)
      return
    }
    this.#isWinding = true
    this.#end('ERR_CLOSED', undefined)
  }

  /** Ends it at once. */
  cut(code: EndCode, cause: Error | undefined): void {
    this.#fail(code, cause)
  }

  get #isReading(): boolean {
    return this.#life.kind === 'open' && !this.#life.send.isEnded
  }

  #onAccept(terms: Terms, reply: string | undefined): void {
    const life = this.#life
    if (reply === undefined) return
    if (life.kind === 'opens') this.#begin(reply, terms)
    // Another bridge has accepted too, since it was asked twice: it has sent nothing yet.
    else if (life.kind === 'open' && life.peer !== reply) {
      this.#link.publish(reply, encodeReset('ERR_CLOSED'))
      return
    }
    this.#tell({ asks: false, misses: false })
  }

  #begin(peer: string, terms: Terms): void {
    const own = this.#settings.terms
    const send = new SendHalf({
      windowBytes: Math.min(own.windowBytes, terms.windowBytes),
      windowFrames: Math.min(own.windowFrames, terms.windowFrames),
      packetBytes: Math.max(PART_BYTES + 1, Math.min(PACKET_BYTES, this.#link.maxPayload)),
    })
    this.#heardAt = this.#settings.clock.now()
    this.#life = { kind: 'open', peer, send, mostBytes: terms.maxFrameBytes }
    void this.#read(send, terms.maxFrameBytes)
  }

  /** From the local connection to the other bridge, no faster than that has room. */
  async #read(send: SendHalf, mostBytes: number): Promise<void> {
    const { signal } = this.#stopReading
    try {
      for (;;) {
        while (!send.hasRoom && !signal.aborted) {
          this.#publish()
          await new Promise<void>((resolve) => (this.#onRoom = resolve))
        }
        if (signal.aborted) return
        const frame = await this.#local.receive({ signal })
        if (frame === undefined) break
        if (frame.length > mostBytes) {
          this.#refused++
          this.#fail('ERR_FRAME_TOO_LARGE', largeError(frame.length, mostBytes, this.#local.info.endpoint))
          return
        }
        send.take(frame)
        this.#flush()
      }
      this.#end(this.#writer.isBroken ? 'ERR_CLOSED' : 'OK', undefined)
    } catch (error) {
      if (!signal.aborted) this.#end((error as TransportError).code, error as Error)
    }
  }

  /** Frames of one turn go in as few packets as they fit. */
  #flush(): void {
    if (this.#flushes) return
    this.#flushes = true
    this.#settings.clock.nextTurn(() => {
      this.#flushes = false
      this.#publish()
    })
  }

  #publish(): void {
    const life = this.#life
    if (life.kind !== 'open') return
    life.send.seal()
    while (this.#link.isUp) {
      const packet = life.send.next()
      if (packet === undefined) return
      stamp(packet, this.#receive.handedOver)
      this.#told = this.#receive.handedOver
      if (!this.#link.publish(life.peer, packet)) {
        this.#fail('ERR_IO', unpublishedError(packet.length, this.#link.maxPayload, this.#local.info.endpoint))
        return
      }
    }
  }

  #end(code: EndCode, cause: Error | undefined): void {
    const life = this.#life
    if (life.kind !== 'open' || life.send.isEnded) return
    if (code !== 'OK') this.#reason ??= { code, cause }
    this.#stopReading.abort()
    this.#onRoom?.()
    life.send.end(code)
    this.#publish()
  }

  #onState(state: State): void {
    const life = this.#life
    if (life.kind !== 'open') return
    this.#onHandedOver(state.handedOver)
    if (state.misses) this.#resend(life.send, state.received)
    const misses = this.#receive.misses(state.sent)
    if (state.asks || misses) this.#tell({ asks: false, misses })
  }

  /**
   * A window at a time: before the server has taken it no other follows, however often the other bridge asks. The
   * client keeps what is published without a bound. It is asked once more then, in case this request was a new one.
   */
  #resend(send: SendHalf, received: number): void {
    if (this.#resends) return
    this.#resends = true
    this.#events.onResent(send.resendFrom(received))
    this.#publish()
    const done = (): void => {
      this.#resends = false
      if (send.framesKept > 0 || send.isEnded) this.#tell({ asks: true, misses: false })
    }
    // Once NATS is there again both sides say where they stand.
    this.#link.flush().then(done, () => (this.#resends = false))
  }

  #onSequenced(packet: Sequenced): void {
    this.#onHandedOver(packet.handedOver)
    if (this.#hasEnded()) return
    const received = this.#receive.take(packet)
    switch (received.kind) {
      case 'duplicate':
        this.#events.onDuplicate()
        return
      case 'gap':
        if (this.#receive.misses(packet.seq)) this.#tell({ asks: false, misses: true })
        return
      case 'frames':
        this.#writer.give(received.frames)
        if (!this.#hasEnded()) this.#look()
        return
      case 'end':
        void this.#endLocal(received.code)
    }
  }

  async #endLocal(code: EndCode): Promise<void> {
    if (code !== 'OK') {
      // The other side reads nothing any more.
      this.#reason ??= { code, cause: undefined }
      this.#stopReading.abort()
      this.#onRoom?.()
      this.#publish()
    }
    try {
      await this.#writer.end(this.#stop.signal)
    } catch (error) {
      this.#onUndeliverable(error as Error)
      return
    }
    this.#receive.onEndHandedOver()
    this.#tell({ asks: false, misses: false })
    this.#settle()
  }

  #onHandedOver(seq: number): void {
    const life = this.#life
    if (life.kind !== 'open' || !life.send.onHandedOver(seq)) return
    if (life.send.hasRoom) this.#onRoom?.()
    this.#settle()
  }

  /** Ends it if nothing is left to do. */
  #settle(): void {
    const life = this.#life
    if (life.kind !== 'open' || !life.send.isDone) return
    if (this.#receive.isDone) this.#finish(this.#reason?.code ?? 'OK', this.#reason?.cause, true)
    else if (this.#reason !== undefined) {
      // The other side has stopped by now. What it had sent before has come, and is handed over first if it can be.
      if (!this.#isWinding || this.#writer.isBroken || this.#isHandedOver) {
        this.#finish(this.#reason.code, this.#reason.cause, true)
      }
    }
  }

  get #isHandedOver(): boolean {
    return this.#receive.handedOver === this.#receive.received
  }

  #onUndeliverable(error: Error): void {
    const { code, cause } = error as unknown as { readonly code: EndCode; readonly cause?: Error }
    const over = code === 'ERR_CLOSED'
    // Whoever reads finds the reason behind what was received.
    if (over && this.#isReading) return
    this.#fail(code, over ? (cause ?? error) : error)
  }

  /** Looks from time to time what was handed over, while something was not. */
  #look(): void {
    this.#cancelLook ??= this.#settings.clock.setTimer(() => {
      this.#cancelLook = undefined
      if (this.#hasEnded()) return
      const isNews = this.#receive.onHandedOver(this.#writer.handedOver, this.#writer.isIdle)
      if (this.#receive.handedOver > this.#told) this.#tell({ asks: false, misses: false })
      this.#lookMs = isNews ? FIRST_LOOK_MS : Math.min(LAST_LOOK_MS, this.#lookMs * 2)
      this.#settle()
      if (!this.#isHandedOver && !this.#hasEnded()) this.#look()
    }, this.#lookMs)
  }

  /** Where this side stands. */
  #tell(flags: Pick<State, 'asks' | 'misses'>): void {
    const life = this.#life
    if (life.kind !== 'open') return
    this.#told = this.#receive.handedOver
    this.#link.publish(life.peer, this.#state(life.send, flags), this.#meeting.here)
  }

  #state(send: SendHalf, flags: Pick<State, 'asks' | 'misses'>): Buffer {
    const { received, handedOver } = this.#receive
    return encodeState({ ...flags, sent: send.published, received, handedOver })
  }

  /** Asked after calls that may have ended it. */
  #hasEnded(): boolean {
    return this.#life.kind === 'ended'
  }

  #fail(code: EndCode, cause: Error | undefined): void {
    this.#finish(code, cause, true)
  }

  #finish(code: EndCode, cause: Error | undefined, tells: boolean): void {
    const life = this.#life
    if (life.kind === 'ended') return
    this.#life = { kind: 'ended' }
    this.#cancelLook?.()
    this.#stopReading.abort()
    this.#stop.abort()
    this.#onRoom?.()
    const lastWords: Buffer[] = []
    if (life.kind === 'open') {
      this.#receive.onHandedOver(this.#writer.handedOver, this.#writer.isIdle)
      lastWords.push(this.#state(life.send, { asks: false, misses: false }))
    }
    if (code !== 'OK') lastWords.push(encodeReset(code))
    const peer = life.kind === 'opens' ? undefined : life.peer
    if (tells && peer !== undefined) for (const word of lastWords) this.#link.publish(peer, word)
    const reason = cause ?? this.#reason?.cause
    if (code === 'OK') void this.#local.close()
    else this.#local.destroy(reason ?? endError(code, this.#local.info.endpoint))
    const fates = life.kind === 'open' ? life.send.fates : { handedOver: 0, unconfirmed: 0, unsent: 0 }
    const { framesReceived: received, framesHandedOver: delivered } = this.#receive
    const unsent = fates.unsent + this.#refused
    this.#events.onReport({ id: this.id, code, cause: reason, ...fates, unsent, received, delivered })
    this.#events.onEnded(this, lastWords)
  }
}

function endError(code: EndCode, endpoint: string): TransportError {
  const told = code === 'OK' ? 'ERR_CLOSED' : code
  return new TransportError(told, `the other end of the bridge has ended this connection with ${told}.`, { endpoint })
}

function unpublishedError(length: number, most: number, endpoint: string): TransportError {
  const message = `the client of NATS has not taken a message of ${String(length)} bytes: it is being drained, or max_payload of the server (${String(most)}) is less than it was.`
  return new TransportError('ERR_IO', message, { endpoint })
}

function lateError(ms: number, endpoint: string): TransportError {
  const message = `no bridge has answered within ${String(ms)} ms (openTimeoutMs). See that one dials for this subject, and that NATS is there.`
  return new TransportError('ERR_TIMEOUT', message, { endpoint })
}

function silentError(ms: number, endpoint: string): TransportError {
  const message = `the other bridge has not answered for ${String(ms)} ms (peerTimeoutMs): it is gone, or has no connection to NATS.`
  return new TransportError('ERR_TIMEOUT', message, { endpoint })
}

function largeError(length: number, most: number, endpoint: string): TransportError {
  const message = `a frame of ${String(length)} bytes exceeds maxFrameBytes (${String(most)}) of the other bridge. Split it, or raise the option there.`
  return new TransportError('ERR_FRAME_TOO_LARGE', message, { endpoint })
}
