/** gRPC (@grpc/grpc-js) over a Unix socket: unary calls for requests, client streaming for streams. */
import {
  drained,
  NO_PAYLOAD,
  pourInto,
  type ComparedClient,
  type ComparedPeer,
  type Payload,
} from './compared-stack.js'
import { loadPackage, peerFile } from './packages.js'

interface Message {
  readonly payload: Payload
}

type Answered = (error: Error | null, answer?: Message) => void

interface WritableCall {
  readonly writableNeedDrain: boolean
  once(event: 'drain', listener: () => void): unknown
  write(message: Message): boolean
  end(): void
}

interface ReadableCall {
  on(event: 'data', listener: (message: Message) => void): void
  on(event: 'end', listener: () => void): void
}

interface Client {
  Ask(message: Message, answered: Answered): void
  Pour(answered: Answered): WritableCall
  waitForReady(deadline: number, ready: (error?: Error) => void): void
  close(): void
}

interface ServiceClient {
  new (address: string, credentials: object, options: object): Client
  readonly service: object
}

interface Server {
  addService(service: object, handlers: object): void
  bindAsync(address: string, credentials: object, bound: (error: Error | null) => void): void
  forceShutdown(): void
}

interface Grpc {
  readonly Server: new (options: object) => Server
  readonly ServerCredentials: { createInsecure(): object }
  readonly credentials: { createInsecure(): object }
  readonly loadPackageDefinition: (definition: object) => { readonly compared: { readonly Compared: ServiceClient } }
}

interface ProtoLoader {
  readonly load: (file: string, options: object) => Promise<object>
}

const READY_MS = 10_000

/** Any size of a message. */
const SIZES = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }

class GrpcClient implements ComparedClient {
  readonly #client: Client
  #messages: readonly Message[] = []

  constructor(client: Client) {
    this.#client = client
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages.map((payload) => ({ payload }))
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    this.#client.Ask(this.#messageOf(stamp), (error, answer) => {
      if (error !== null) throw error
      onAnswer(answer?.payload ?? NO_PAYLOAD)
    })
  }

  /** One call a round. */
  async pour(count: number): Promise<void> {
    let end = (): void => undefined
    const over = new Promise<void>((resolve, reject) => {
      const call = this.#client.Pour((error) => {
        if (error === null) resolve()
        else reject(error)
      })
      end = () => {
        call.end()
      }
      pourInto(
        count,
        (stamp) => call.write(this.#messageOf(stamp)),
        () => drained(call),
      ).then(() => {
        end()
      }, reject)
    })
    await over
  }

  #messageOf(stamp: number): Message {
    return this.#messages[stamp] ?? { payload: NO_PAYLOAD }
  }
}

const grpc: ComparedPeer = async ({ path }) => {
  const { Server, ServerCredentials, credentials, loadPackageDefinition } = await loadPackage<Grpc>('@grpc/grpc-js')
  const { load } = await loadPackage<ProtoLoader>('@grpc/proto-loader')
  const { Compared } = loadPackageDefinition(await load(peerFile('compared.proto'), {})).compared
  const address = `unix:${path}`
  const clients: Client[] = []
  let server: Server | undefined
  const listen = (handlers: object): Promise<void> =>
    new Promise((resolve, reject) => {
      server = new Server(SIZES)
      server.addService(Compared.service, handlers)
      server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
  return {
    payload: 'bytes',
    answer: () =>
      listen({
        Ask: ({ request }: { readonly request: Message }, answer: Answered) => {
          answer(null, request)
        },
        Pour: () => undefined,
      }),
    take: (onMessage) =>
      listen({
        Ask: () => undefined,
        Pour: (call: ReadableCall, answer: (error: null, done: object) => void) => {
          call.on('data', ({ payload }) => {
            onMessage(payload)
          })
          call.on('end', () => {
            answer(null, {})
          })
        },
      }),
    connect: () =>
      new Promise((resolve, reject) => {
        // Otherwise all clients of one address share a connection.
        const options = { ...SIZES, 'grpc.use_local_subchannel_pool': 1 }
        const client = new Compared(address, credentials.createInsecure(), options)
        clients.push(client)
        client.waitForReady(Date.now() + READY_MS, (error) => {
          if (error === undefined) resolve(new GrpcClient(client))
          else reject(error)
        })
      }),
    close() {
      for (const client of clients) client.close()
      server?.forceShutdown()
      return Promise.resolve(true)
    },
  }
}

export default grpc
