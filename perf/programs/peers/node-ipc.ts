/** node-ipc 14 with its default profile, `fast`: events whose data is a JSON string. It needs Node 22.13. */
import type net from 'node:net'
import { drained, pourInto, type ComparedClient, type ComparedPeer, type Payload } from './compared-stack.js'
import { loadNamed } from './packages.js'

interface Client {
  readonly socket: net.Socket
  on(event: string, listener: (data: Payload) => void): void
  /** What `socket.write()` returns. */
  emit(event: string, data: Payload): boolean
}

interface Server {
  on(event: string, listener: (data: Payload, socket: net.Socket) => void): void
  emit(socket: net.Socket, event: string, data: Payload): void
  start(): void
  stop(): void
}

interface Ipc {
  readonly config: { id: string; silent: boolean; maxConnections: number }
  readonly of: Readonly<Record<string, Client | undefined>>
  readonly server: Server
  serve(path: string, started: () => void): void
  connectTo(id: string, path: string, connecting: () => void): void
  disconnect(id: string): void
}

const SERVER = 'server'
const MOST_CONNECTIONS = 16_384

class IpcClient implements ComparedClient {
  readonly #client: Client
  #messages: readonly Payload[] = []
  #onAnswer: (answer: Payload) => void = () => undefined

  constructor(client: Client) {
    this.#client = client
    client.on('answer', (data) => {
      this.#onAnswer(data)
    })
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    this.#onAnswer = onAnswer
    this.#client.emit('ask', this.#messages[stamp] ?? '')
  }

  pour(count: number): Promise<void> {
    return pourInto(
      count,
      (stamp) => this.#client.emit('take', this.#messages[stamp] ?? ''),
      () => drained(this.#client.socket),
    )
  }
}

const nodeIpc: ComparedPeer = async ({ path }) => {
  const { IPCModule } = await loadNamed<{ readonly IPCModule: new () => Ipc }>('node-ipc')
  const dialled: Ipc[] = []
  let served: Ipc | undefined
  const make = (): Ipc => {
    const ipc = new IPCModule()
    Object.assign(ipc.config, { id: SERVER, silent: true, maxConnections: MOST_CONNECTIONS })
    return ipc
  }
  const listen = (event: string, onEvent: (server: Server, data: Payload, socket: net.Socket) => void): Promise<void> =>
    new Promise((resolve) => {
      const ipc = make()
      served = ipc
      ipc.serve(path, () => {
        ipc.server.on(event, (data, socket) => {
          onEvent(ipc.server, data, socket)
        })
        resolve()
      })
      ipc.server.start()
    })
  return {
    payload: 'text',
    answer: () =>
      listen('ask', (server, data, socket) => {
        server.emit(socket, 'answer', data)
      }),
    take: (onMessage) =>
      listen('take', (_, data) => {
        onMessage(data)
      }),
    connect: () =>
      new Promise((resolve, reject) => {
        const ipc = make()
        dialled.push(ipc)
        ipc.connectTo(SERVER, path, () => {
          const client = ipc.of[SERVER]
          if (client === undefined) {
            reject(new Error('node-ipc made no client'))
            return
          }
          client.on('connect', () => {
            resolve(new IpcClient(client))
          })
        })
      }),
    close() {
      for (const ipc of dialled) ipc.disconnect(SERVER)
      served?.server.stop()
      return Promise.resolve(true)
    },
  }
}

export default nodeIpc
