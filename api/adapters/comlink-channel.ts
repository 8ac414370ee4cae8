/**
 * One object that is used from the other end: to Comlink it is an endpoint. It knows which calls have no answer yet, so
 * that none waits for ever.
 */
import { MessagePort } from 'node:worker_threads'
import { TransportError } from '../../engine/protocol/errors.js'
import { answerFor, isRequest, isUnseen, mapProxies, type ComlinkMessage } from './comlink-wire.js'

/** Requests of one channel that have no answer yet. */
const MOST_PENDING = 65_536

const TOO_MANY_PENDING = 'more than 65,536 calls of Comlink have no answer yet. Wait for some, or ask for less.'
/** What all channels of a connection have in common. */
export interface ChannelHost {
  start(): void
  /** Calls a listener; what it throws ends the connection. */
  call(listener: () => unknown): void
  /** @throws {TransportError} ERR_INVALID_FRAME, ERR_FRAME_TOO_LARGE, ERR_BACKPRESSURE, ERR_CLOSED */
  send(id: number, message: ComlinkMessage, transfer: readonly unknown[], isAnswer: boolean): void
  error(code: 'ERR_BACKPRESSURE', message: string): TransportError
}

type Listener = (event: { readonly data: unknown }) => unknown

/** What Comlink calls an endpoint. Closed: each request is answered with why. */
export class Channel {
  readonly id: number
  readonly #channels: ChannelHost
  readonly #listeners = new Set<Listener>()
  /** Requests without an answer, with their types. */
  readonly #pending = new Map<unknown, unknown>()
  #end: TransportError | undefined

  constructor(id: number, channels: ChannelHost) {
    this.id = id
    this.#channels = channels
  }

  /** Only 'message' is ever emitted. */
  readonly addEventListener = (_type: string, listener: object): void => {
    this.#listeners.add(listener as Listener)
  }

  readonly removeEventListener = (_type: string, listener: object): void => {
    this.#listeners.delete(listener as Listener)
  }

  readonly start = (): void => this.#channels.start()

  readonly postMessage = (message: ComlinkMessage, transfer: readonly unknown[] = []): void => {
    const isAsked = isRequest(message)
    if (this.#end !== undefined) {
      closePorts(message, transfer)
      // Of an answer nobody is left to be told.
      if (isAsked) this.#answer(message.id, message.type, this.#end)
      return
    }
    if (!isAsked) this.#channels.send(this.id, message, transfer, true)
    else {
      if (this.#pending.size >= MOST_PENDING) throw this.#channels.error('ERR_BACKPRESSURE', TOO_MANY_PENDING)
      this.#pending.set(message.id, message.type)
      try {
        this.#channels.send(this.id, message, transfer, false)
      } catch (error) {
        this.#pending.delete(message.id)
        if (!isUnseen(message) || !isLost(error)) throw error
        this.#answer(message.id, message.type, error)
      }
    }
  }

  receive(message: ComlinkMessage): void {
    if (!isRequest(message)) this.#pending.delete(message.id)
    for (const listener of [...this.#listeners]) this.#channels.call(() => listener({ data: message }))
  }

  close(end: TransportError): void {
    if (this.#end !== undefined) return
    this.#end = end
    for (const [id, type] of this.#pending) this.#answer(id, type, end)
    this.#pending.clear()
  }

  /** Later, as an answer comes: Comlink may not be waiting for it yet. */
  #answer(id: unknown, type: unknown, end: TransportError): void {
    queueMicrotask(() => this.receive(answerFor(id, type, end)))
  }
}

/** A port that goes nowhere would keep the process alive. */
export function closePorts(message: ComlinkMessage, transfer: readonly unknown[]): void {
  const close = (port: unknown): void => {
    if (port instanceof MessagePort) port.close()
  }
  transfer.forEach(close)
  mapProxies(message, close)
}

/** Whether a message had nowhere to go. */
export function isLost(error: unknown): error is TransportError {
  return error instanceof TransportError && (error.code === 'ERR_CLOSED' || error.code === 'ERR_BACKPRESSURE')
}
