/**
 * undici over a Unix socket to a `node:http` server: a request with its body is a round trip over a connection that
 * stays. A stream is the body of one request; HTTP has no frames in it, so they have their length in front.
 */
import http from 'node:http'
import { Readable } from 'node:stream'
import { STAMPS } from '../../harness/messages.js'
import { NO_PAYLOAD, type ComparedClient, type ComparedPeer, type Payload } from './compared-stack.js'
import { loadPackage } from './packages.js'
import { takeFrames, withLength } from './stream-client.js'

interface HttpClient {
  request(options: { readonly path: string; readonly method: 'POST'; readonly body: Payload | Readable }): Promise<{
    readonly body: { arrayBuffer(): Promise<ArrayBuffer> }
  }>
  destroy(): Promise<void>
}

interface ClientOptions {
  readonly socketPath: string
  /** Milliseconds after which a connection that nobody uses ends. */
  readonly keepAliveTimeout: number
}

interface Undici {
  readonly Client: new (origin: string, options: ClientOptions) => HttpClient
}

/** A connection stays for as long as a run. */
const KEEP_MS = 3_600_000

class UndiciClient implements ComparedClient {
  readonly #client: HttpClient
  #messages: readonly Payload[] = []
  #frames: readonly Buffer[] = []

  constructor(client: HttpClient) {
    this.#client = client
  }

  prepare(messages: readonly Payload[]): void {
    this.#messages = messages
    this.#frames = messages.map(withLength)
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    void this.#exchange(this.#messages[stamp] ?? NO_PAYLOAD).then(onAnswer)
  }

  async pour(count: number): Promise<void> {
    await this.#exchange(Readable.from(this.#framesOf(count), { objectMode: false }))
  }

  *#framesOf(count: number): Iterable<Uint8Array> {
    for (let i = 0; i < count; i++) yield this.#frames[i & (STAMPS - 1)] ?? NO_PAYLOAD
  }

  async #exchange(sent: Payload | Readable): Promise<Uint8Array> {
    const { body } = await this.#client.request({ path: '/', method: 'POST', body: sent })
    return new Uint8Array(await body.arrayBuffer())
  }
}

const undici: ComparedPeer = async ({ path }) => {
  const { Client } = await loadPackage<Undici>('undici')
  const clients: HttpClient[] = []
  const server = http.createServer({ keepAliveTimeout: KEEP_MS })
  const listen = (onRequest: http.RequestListener): Promise<void> =>
    new Promise((resolve) => {
      server.on('request', onRequest)
      server.listen(path, resolve)
    })
  return {
    payload: 'bytes',
    answer: () =>
      listen((request, response) => {
        const parts: Buffer[] = []
        request.on('data', (part: Buffer) => parts.push(part))
        request.on('end', () => {
          response.end(parts.length === 1 ? parts[0] : Buffer.concat(parts))
        })
      }),
    take: (onMessage) =>
      listen((request, response) => {
        takeFrames(request, onMessage)
        request.on('end', () => {
          response.end()
        })
      }),
    connect() {
      const client = new Client('http://localhost', { socketPath: path, keepAliveTimeout: KEEP_MS })
      clients.push(client)
      return Promise.resolve(new UndiciClient(client))
    },
    async close() {
      for (const client of clients) await client.destroy()
      server.closeAllConnections()
      server.close()
      return true
    },
  }
}

export default undici
