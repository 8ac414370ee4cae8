/** zeromq.js 6 over `ipc://`: REQ and REP for requests, PUSH and PULL for streams. */
import { STAMPS } from '../../harness/messages.js'
import { NO_PAYLOAD, type ComparedClient, type ComparedPeer, type Payload } from './compared-stack.js'
import { loadPackage } from './packages.js'

interface Socket {
  bind(address: string): Promise<void>
  connect(address: string): void
  close(): void
  send(message: Payload): Promise<void>
  receive(): Promise<[Payload]>
  [Symbol.asyncIterator](): AsyncIterator<[Payload]>
}

interface ZeroMq {
  readonly context: { maxSockets: number; blocky: boolean }
  readonly Request: new () => Socket
  readonly Reply: new () => Socket
  readonly Push: new () => Socket
  readonly Pull: new () => Socket
}

const MOST_SOCKETS = 16_384

class ZeroMqClient implements ComparedClient {
  readonly #socket: Socket
  #messages: readonly Payload[] = []

  constructor(socket: Socket) {
    this.#socket = socket
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    void this.#exchange(this.#messages[stamp] ?? NO_PAYLOAD).then(onAnswer)
  }

  /** A send that finds room is over at once; another one may not begin before. */
  async pour(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#socket.send(this.#messages[i & (STAMPS - 1)] ?? NO_PAYLOAD)
  }

  async #exchange(message: Payload): Promise<Payload> {
    await this.#socket.send(message)
    const [answer] = await this.#socket.receive()
    return answer
  }
}

const zeromq: ComparedPeer = async ({ path, purpose }) => {
  const { context, Request, Reply, Push, Pull } = await loadPackage<ZeroMq>('zeromq')
  context.maxSockets = MOST_SOCKETS
  // Nothing that was not sent holds up the end.
  context.blocky = false
  const address = `ipc://${path}`
  const open: Socket[] = []
  const made = (socket: Socket): Socket => {
    open.push(socket)
    return socket
  }
  return {
    payload: 'bytes',
    async answer() {
      const socket = made(new Reply())
      await socket.bind(address)
      void (async () => {
        for await (const [request] of socket) await socket.send(request)
      })()
    },
    async take(onMessage) {
      const socket = made(new Pull())
      await socket.bind(address)
      void (async () => {
        for await (const [message] of socket) onMessage(message)
      })()
    },
    connect() {
      const socket = made(purpose === 'ask' ? new Request() : new Push())
      socket.connect(address)
      return Promise.resolve(new ZeroMqClient(socket))
    },
    close() {
      for (const socket of open) socket.close()
      return Promise.resolve(true)
    },
  }
}

export default zeromq
