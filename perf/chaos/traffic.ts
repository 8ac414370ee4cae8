/** Frames in both directions over one reconnecting connection without a pause, and a record of each. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  TransportError,
  type Connection,
  type ConnectedInfo,
  type ReconnectingConnection,
  type LossReport,
} from '../../api/index.js'
import type { Random } from '../harness/seeded-random.js'
import { FrameBook } from './frame-book.js'
import { makeFrame, openFrame, randomPayload } from './campaign-frames.js'
import type { Gate } from './gate.js'
import { writeOrder, type Misbehaviour } from './misbehaviour.js'

const NOTHING = Buffer.alloc(0)

/** Frames under way at most. */
const WINDOW = 48
/** While the peer is stopped: as many as it takes to fill every buffer on the way. */
const WIDE_WINDOW = 1_000

/** How frames are read; each connection of the campaign does it differently. */
export type Consuming = 'subscribe' | 'iterate' | 'receive'

export interface ConnectionHooks {
  readonly onConnected: (connection: Connection, info: ConnectedInfo) => Promise<void>
  readonly onLoss: (report: LossReport) => void
}

export class Traffic {
  readonly book: FrameBook
  readonly name: string
  /** Reconnecting connections that ended by themselves and were replaced. */
  connectionsReplaced = 0
  /** Attempts to connect that failed. */
  failures = 0
  connection: ReconnectingConnection
  /** Of the process behind the connection, if it is one of the engine's children. */
  pid: number | undefined
  /** The highest number that has come back. */
  #lastEcho = -1
  #window = WINDOW
  #connections = 0
  #isStopping = false
  #isBlocked = false
  readonly #gate: Gate
  readonly #random: Random
  readonly #open: (hooks: ConnectionHooks) => ReconnectingConnection
  readonly #running: Promise<void>

  constructor(
    name: string,
    open: (hooks: ConnectionHooks) => ReconnectingConnection,
    consuming: Consuming,
    random: Random,
    gate: Gate,
  ) {
    this.name = name
    this.book = new FrameBook(name)
    this.#gate = gate
    this.#random = random
    this.#open = open
    this.connection = this.#openConnection()
    this.#running = this.#run(consuming)
  }

  get lastEcho(): number {
    return this.#lastEcho
  }

  get isConnected(): boolean {
    return this.connection.state === 'connected'
  }

  /** As much is under way as the window allows, or as fits. */
  get isStalled(): boolean {
    return this.#isBlocked || this.book.outstanding >= this.#window
  }

  widen(on: boolean): void {
    this.#window = on ? WIDE_WINDOW : WINDOW
    this.#gate.poke()
  }

  /** Resolves once a frame that was sent after this call has come back. */
  async wellAgain(): Promise<void> {
    const first = this.book.next
    await this.#gate.until(() => this.#lastEcho >= first)
  }

  /** Resolves once `echoes` more frames have come back. */
  async progress(echoes: number): Promise<void> {
    const { counts } = this.book
    const before = counts.echoed
    await this.#gate.until(() => counts.echoed >= before + echoes)
  }

  /** Puts an order to the peer among the frames. False: the connection takes no frame now. */
  order(order: Misbehaviour): boolean {
    return this.#send('order', writeOrder(order)) !== 'refused'
  }

  /** Sends nothing more, waits for everything that is under way, closes the connection. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#gate.poke()
    await this.#gate.until(() => this.book.outstanding === 0)
    await this.connection.close()
    await this.#running
  }

  #openConnection(): ReconnectingConnection {
    return this.#open({
      onConnected: (connection, info) => this.#greet(connection, info),
      onLoss: (report) => {
        this.#onLoss(report)
      },
    })
  }

  async #run(consuming: Consuming): Promise<void> {
    for (;;) {
      const { connection } = this
      const consumed = this.#consume(connection, consuming)
      await Promise.all([connection.closed, consumed, this.#feed(connection)])
      this.#gate.poke()
      if (this.#isStopping) return
      this.connectionsReplaced++
      this.connection = this.#openConnection()
    }
  }

  async #feed(connection: ReconnectingConnection): Promise<void> {
    const over = { now: false }
    const ended = connection.closed.then(() => {
      over.now = true
      this.#gate.poke()
    })
    while (!this.#mustNotSend(over)) {
      await this.#gate.until(() => this.#mustNotSend(over) || this.book.outstanding < this.#window)
      for (let burst = this.#random.between(1, 8); burst > 0 && !this.#mustNotSend(over); burst--) {
        if (this.#send('data', randomPayload(this.#random)) === 'goes on') continue
        this.#isBlocked = true
        this.#gate.poke()
        // Rejects when the connection ends.
        await connection.ready().catch(() => undefined)
        this.#isBlocked = false
        break
      }
      await nextTurn()
    }
    await ended.catch(() => undefined)
  }

  #mustNotSend(over: { readonly now: boolean }): boolean {
    return this.#isStopping || over.now
  }

  /** `waits`: taken, but there is no room for another one, or no connection. */
  #send(purpose: 'data' | 'order', payload: Buffer): 'goes on' | 'waits' | 'refused' {
    const number = this.book.take()
    try {
      return this.connection.send(makeFrame(number, purpose, payload)) ? 'goes on' : 'waits'
    } catch (error) {
      this.book.putBack()
      if (!(error instanceof TransportError)) throw error
      if (error.code !== 'ERR_BACKPRESSURE' && error.code !== 'ERR_CLOSED')
        this.book.onWrong(`send() refused a frame with ${error.code}: ${error.message}`)
      return 'refused'
    }
  }

  async #consume(connection: ReconnectingConnection, consuming: Consuming): Promise<void> {
    try {
      switch (consuming) {
        case 'subscribe':
          connection.subscribe((frame) => {
            this.#onFrame(frame)
          })
          await connection.closed
          break
        case 'iterate':
          for await (const frame of connection) this.#onFrame(frame)
          break
        case 'receive':
          for (let frame = await connection.receive(); frame !== undefined; frame = await connection.receive())
            this.#onFrame(frame)
      }
    } catch (error) {
      // What ended the connection; anything else is a defect of the campaign.
      if (!(error instanceof TransportError)) throw error
    }
  }

  #onFrame(bytes: Buffer): void {
    const frame = openFrame(bytes)
    if (frame === undefined) this.book.onWrong(`${String(bytes.length)} bytes came that are no frame`)
    else if (frame.purpose !== 'data' && frame.purpose !== 'order')
      this.book.onWrong(`an unexpected ${frame.purpose} came`)
    else {
      this.book.onEcho(frame.connection, frame.number)
      this.#lastEcho = frame.number
    }
    this.#gate.poke()
  }

  #onLoss(report: LossReport): void {
    if (report.unreadDropped > 0)
      this.book.onWrong(`${String(report.unreadDropped)} frames that were received were dropped`)
    this.book.onLoss(report)
    this.#gate.poke()
  }

  /** Tells the peer which connection this is, before any other frame goes out. */
  async #greet(connection: Connection, { signal }: ConnectedInfo): Promise<void> {
    this.pid = connection.info.pid
    const number = ++this.#connections
    connection.send(makeFrame(number, 'hello', NOTHING))
    const reply = await connection.receive({ signal })
    if (reply === undefined) throw new Error('the peer ended the connection instead of greeting')
    const frame = openFrame(reply)
    if (frame?.purpose !== 'hello' || frame.number !== number) {
      this.book.onWrong('the first frame of a connection was not the answer to the greeting')
      throw new Error('the peer did not greet')
    }
  }
}
