/**
 * The channels of a Comlink endpoint: the endpoint itself, and one for each object that crosses as a proxy. Comlink
 * makes a `MessagePort` for a proxy; no port can leave the process, so what comes out of it goes over a channel.
 */
import { MessageChannel, MessagePort } from 'node:worker_threads'
import { attempt } from '../../engine/common/handler-failures.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { Adaptable } from './adaptable.js'
import { Channel, closePorts, isLost, type ChannelHost } from './comlink-channel.js'
import { answerFor, decodeFrame, encodeFrame, isRequest, mapProxies } from './comlink-wire.js'
import type { ComlinkCodec, ComlinkFrame, ComlinkMessage } from './comlink-wire.js'
import { handlerFailed } from './handlers.js'
import { invalidMessage } from './json/json-text.js'
import { Incoming, sendOrEnd } from './messages.js'

/** Proxies at a time, of each side. */
const MOST_PROXIES = 1_024

const TOO_MANY_PROXIES = 'more than 1,024 proxies of Comlink are open over this connection. Release some.'
const NO_TRANSFER =
  'nothing can be transferred to another process. Leave `Comlink.transfer()` out, so that it is copied, and use `Comlink.proxy()` in place of ports.'

export class Channels implements ChannelHost {
  readonly root: Channel
  readonly #connection: Adaptable
  readonly #codec: ComlinkCodec
  /** The open ones by their numbers: positive ones are ours. */
  readonly #open = new Map<number, Channel>()
  /** The port that Comlink has made, of those of ours. */
  readonly #ports = new Map<number, MessagePort>()
  #incoming: Incoming | undefined
  #lastId = 0

  constructor(connection: Adaptable, codec: ComlinkCodec) {
    this.#connection = connection
    this.#codec = codec
    this.root = new Channel(0, this)
    this.#open.set(0, this.root)
    void connection.closed.then(async ({ cause }) => {
      await this.#incoming?.over()
      const end = this.error('ERR_CLOSED', `the connection has closed: this call has no answer.`, cause)
      for (const id of [...this.#open.keys()]) this.#close(id, end)
    })
  }

  error(
    code: 'ERR_BACKPRESSURE' | 'ERR_CLOSED' | 'ERR_INVALID_FRAME',
    message: string,
    cause?: unknown,
  ): TransportError {
    return new TransportError(code, message, { cause, endpoint: this.#connection.info.endpoint })
  }

  start(): void {
    this.#incoming ??= new Incoming(this.#connection, (frame) => this.#receive(frame))
  }

  call(listener: () => unknown): void {
    attempt(listener, (cause) => handlerFailed(this.#connection, 'subscriber', 'a message of Comlink', cause))
  }

  /** @throws {TransportError} ERR_INVALID_FRAME, ERR_FRAME_TOO_LARGE, ERR_BACKPRESSURE, ERR_CLOSED */
  send(id: number, message: ComlinkMessage, transfer: readonly unknown[], isAnswer: boolean): void {
    try {
      const ports: MessagePort[] = []
      const mapped = mapProxies(message, (port) => {
        if (!(port instanceof MessagePort)) throw this.error('ERR_INVALID_FRAME', NO_TRANSFER)
        if (this.#ports.size + ports.length >= MOST_PROXIES) throw this.error('ERR_BACKPRESSURE', TOO_MANY_PROXIES)
        return this.#lastId + ports.push(port)
      })
      const isAll = transfer.every((part) => ports.includes(part as MessagePort))
      if (!isAll) throw this.error('ERR_INVALID_FRAME', NO_TRANSFER)
      this.#sendFrame([id, mapped], isAnswer)
      for (const port of ports) this.#lend(port)
    } catch (error) {
      closePorts(message, transfer)
      // Of an answer nobody is left to be told, and to Comlink its failure would be a rejection that nobody handles.
      if (!isAnswer || !isLost(error)) throw error
    }
  }

  #sendFrame(frame: ComlinkFrame, isAnswer: boolean): void {
    sendOrEnd(this.#connection, encodeFrame(frame, this.#codec, this.#connection.info.endpoint), isAnswer)
  }

  /** What comes out of a port of Comlink's goes over a new channel of ours, and back. */
  #lend(port: MessagePort): void {
    const channel = new Channel(++this.#lastId, this)
    this.#open.set(channel.id, channel)
    this.#join(channel, port)
  }

  #join(channel: Channel, port: MessagePort): void {
    const { id } = channel
    this.#ports.set(id, port)
    port.on('message', (message: ComlinkMessage) => this.call(() => askOver(channel, port, message)))
    port.on('close', () => {
      if (this.#close(id, this.error('ERR_CLOSED', RELEASED))) this.#tellClosed(id)
    })
    channel.addEventListener('message', ({ data }: { readonly data: ComlinkMessage }) => {
      // Only a port goes through a port.
      const ports: MessagePort[] = []
      const message = mapProxies(data, (inner) => {
        if (!(inner instanceof Channel)) return inner
        const { port1, port2 } = new MessageChannel()
        this.#join(inner, port1)
        ports.push(port2)
        return port2
      })
      port.postMessage(message, ports)
    })
  }

  #tellClosed(id: number): void {
    try {
      this.#sendFrame([id], true)
    } catch (error) {
      if (!isLost(error)) throw error
    }
  }

  #receive(frame: Buffer): void {
    const { endpoint } = this.#connection.info
    try {
      const [theirs, message] = decodeFrame(frame, this.#codec, endpoint)
      const id = theirs === 0 ? 0 : -theirs
      if (message === undefined) this.#close(id, this.error('ERR_CLOSED', RELEASED))
      else this.#open.get(id)?.receive(mapProxies(message, (number) => this.#borrow(number)))
    } catch (error) {
      this.#connection.destroy(error as Error)
    }
  }

  /** A proxy of the peer's, as an endpoint that Comlink wraps. */
  #borrow(theirs: unknown): Channel {
    const id = -Number(theirs)
    const isNew = Number.isSafeInteger(id) && id < 0 && !this.#open.has(id)
    if (!isNew || this.#open.size - this.#ports.size > MOST_PROXIES)
      throw invalidMessage('has a proxy of Comlink that cannot be, or one too many', this.#connection.info.endpoint)
    const channel = new Channel(id, this)
    this.#open.set(id, channel)
    return channel
  }

  /** False: it was closed already. */
  #close(id: number, end: TransportError): boolean {
    const channel = this.#open.get(id)
    if (channel === undefined) return false
    this.#open.delete(id)
    channel.close(end)
    const port = this.#ports.get(id)
    this.#ports.delete(id)
    // Behind the answers that its pending requests get now.
    if (port !== undefined) setImmediate(() => port.close())
    return true
  }
}

function askOver(channel: Channel, port: MessagePort, message: ComlinkMessage): void {
  try {
    channel.postMessage(message)
  } catch (error) {
    if (!isRequest(message) || !(error instanceof TransportError)) throw error
    port.postMessage(answerFor(message.id, message.type, error))
  }
}

const RELEASED = 'the object behind this proxy of Comlink was released.'
