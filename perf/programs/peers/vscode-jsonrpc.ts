/** vscode-jsonrpc over a Unix socket: requests, and notifications for streams. A message is a JSON string. */
import net from 'node:net'
import { STAMPS } from '../../harness/messages.js'
import type { ComparedClient, ComparedPeer, Payload } from './compared-stack.js'
import { loadPackage } from './packages.js'

interface Rpc {
  listen(): void
  dispose(): void
  sendRequest(method: string, parameter: Payload): Promise<Payload>
  /** Resolves once it is written. */
  sendNotification(method: string, parameter: Payload): Promise<void>
  onRequest(method: string, handler: (parameter: Payload) => Payload): void
  onNotification(method: string, handler: (parameter: Payload) => void): void
}

interface JsonRpc {
  readonly SocketMessageReader: new (socket: net.Socket) => object
  readonly SocketMessageWriter: new (socket: net.Socket) => object
  readonly createMessageConnection: (reader: object, writer: object) => Rpc
}

/** Notifications leave one after the other: when the last of so many has left, all have. */
const WINDOW_BYTES = 4_194_304
const MOST_MESSAGES = 1_000

class RpcClient implements ComparedClient {
  readonly #rpc: Rpc
  #messages: readonly Payload[] = []

  constructor(rpc: Rpc) {
    this.#rpc = rpc
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    void this.#rpc.sendRequest('ask', this.#messages[stamp] ?? '').then(onAnswer)
  }

  async pour(count: number): Promise<void> {
    const bytes = this.#messages[0]?.length ?? 1
    const window = Math.max(1, Math.min(MOST_MESSAGES, Math.floor(WINDOW_BYTES / bytes)))
    let written = Promise.resolve()
    for (let i = 0; i < count; i++) {
      written = this.#rpc.sendNotification('take', this.#messages[i & (STAMPS - 1)] ?? '')
      if ((i + 1) % window === 0) await written
    }
    await written
  }
}

const vscodeJsonRpc: ComparedPeer = async ({ path }) => {
  const { createMessageConnection, SocketMessageReader, SocketMessageWriter } =
    await loadPackage<JsonRpc>('vscode-jsonrpc/node')
  const server = net.createServer()
  const open = new Set<{ readonly rpc: Rpc; readonly socket: net.Socket }>()
  const over = (socket: net.Socket): Rpc => {
    const rpc = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket))
    socket.on('error', () => undefined)
    open.add({ rpc, socket })
    return rpc
  }
  const listen = (onRpc: (rpc: Rpc) => void): Promise<void> =>
    new Promise((resolve) => {
      server.on('connection', (socket) => {
        const rpc = over(socket)
        onRpc(rpc)
        rpc.listen()
      })
      server.listen(path, resolve)
    })
  return {
    payload: 'text',
    answer: () =>
      listen((rpc) => {
        rpc.onRequest('ask', (parameter) => parameter)
      }),
    take: (onMessage) =>
      listen((rpc) => {
        rpc.onNotification('take', onMessage)
      }),
    connect: () =>
      new Promise((resolve, reject) => {
        const socket = net.connect(path)
        socket.once('error', reject)
        socket.once('connect', () => {
          const rpc = over(socket)
          rpc.listen()
          resolve(new RpcClient(rpc))
        })
      }),
    close() {
      for (const { rpc, socket } of open) {
        rpc.dispose()
        socket.destroy()
      }
      server.close()
      return Promise.resolve(true)
    },
  }
}

export default vscodeJsonRpc
