/** A socket of HTTP that is there before its connection, as of `net.connect()`: `http.Agent` counts on that. */
import type { Connection } from '../../engine/common/connection.js'
import type { Frame } from '../../engine/common/frame.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { WaitOptions } from '../../engine/protocol/waiter.js'
import type { Adaptable } from './adaptable.js'
import { HttpSocket, type HttpConnection } from './http-socket.js'

/** A `Transport`, or whatever dials as it does. */
export interface DiallingTransport {
  readonly endpoint: string
  connect(options?: WaitOptions): Promise<Connection>
}

/** Writing waits for the connection; a connect that fails destroys the socket with its error. */
export class DialledSocket extends HttpSocket {
  readonly #dial: Dial

  constructor(transport: DiallingTransport) {
    const dial = new Dial(transport)
    super(dial, { allowHalfOpen: false })
    this.#dial = dial
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#dial.connection.then(() => done(), done)
  }

  override destroy(error?: Error): this {
    // The stream itself waits until it is connected.
    this.#dial.giveUp()
    return super.destroy(error)
  }
}

/** The connection that is to come. */
class Dial implements HttpConnection {
  readonly connection: Promise<Connection>
  readonly closed: Adaptable['closed']
  readonly #endpoint: string
  readonly #abort = new AbortController()
  #connected: Connection | undefined

  constructor(transport: DiallingTransport) {
    this.#endpoint = transport.endpoint
    this.connection = transport.connect({ signal: this.#abort.signal })
    this.closed = this.connection.then(
      (connection) => {
        this.#connected = connection
        return connection.closed
      },
      (cause: unknown) => ({ code: (cause as TransportError).code, cause: cause as Error }),
    )
  }

  get info(): HttpConnection['info'] {
    return this.#connected?.info ?? { endpoint: this.#endpoint, bytesReceived: 0, bytesSent: 0 }
  }

  get pendingBytes(): number {
    return this.#connected?.pendingBytes ?? 0
  }

  send(frame: Frame): boolean {
    if (this.#connected !== undefined) return this.#connected.send(frame)
    throw new TransportError('ERR_CLOSED', 'there is no connection yet.', { endpoint: this.#endpoint })
  }

  async ready(options?: WaitOptions): Promise<void> {
    await (await this.connection).ready(options)
  }

  async receive(options?: WaitOptions): Promise<Buffer | undefined> {
    return (await this.connection).receive(options)
  }

  async end(options?: WaitOptions): Promise<void> {
    await (await this.connection).end(options)
  }

  async close(): Promise<void> {
    await (await this.connection).close()
  }

  destroy(reason?: Error): void {
    this.#use((connection) => connection.destroy(reason))
  }

  ref(): this {
    this.#use((connection) => connection.ref())
    return this
  }

  unref(): this {
    this.#use((connection) => connection.unref())
    return this
  }

  giveUp(): void {
    if (this.#connected === undefined) this.#abort.abort()
  }

  /** At once, or when it is there. */
  #use(use: (connection: Connection) => unknown): void {
    if (this.#connected !== undefined) use(this.#connected)
    else this.connection.then(use, () => undefined)
  }
}
