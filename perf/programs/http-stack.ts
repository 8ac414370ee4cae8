/** Requests to the process behind a host as HTTP over a Unix socket: `undici` asks, `node:http` answers. */
import http from 'node:http'
import type { Readable } from 'node:stream'
import type { SideConfig } from '../harness/messages.js'
import { requirePackage } from '../harness/peer-package.js'
import { answerer } from '../harness/work.js'
import type { PeerStack } from './peer.js'

/** What is used of `undici`. */
interface Undici {
  readonly Pool: new (
    origin: string,
    options: { readonly socketPath: string; readonly connections: number },
  ) => {
    request(options: {
      readonly path: string
      readonly method: string
      readonly body: Buffer
    }): Promise<{ readonly body: { arrayBuffer(): Promise<ArrayBuffer> } }>
    close(): Promise<void>
  }
}

const asksOnly = (): Promise<never> => Promise.reject(new Error('HTTP only carries requests and their answers'))

export function httpStack(config: SideConfig): PeerStack {
  const ends: (() => Promise<void>)[] = []
  return {
    connect: asksOnly,
    listen: asksOnly,
    echo: asksOnly,
    answer(answering) {
      const answer = answerer(answering)
      const server = http.createServer((request, response) => {
        void bodyOf(request).then((body) => response.end(answer(body)))
      })
      ends.push(() => closed(server))
      return new Promise((resolve) => server.listen(config.path, resolve))
    },
    asker() {
      const { Pool } = requirePackage('undici') as Undici
      const pool = new Pool('http://localhost', { socketPath: config.path, connections: config.connections })
      ends.push(() => pool.close())
      return Promise.resolve({
        async ask(request) {
          const { body } = await pool.request({ path: '/', method: 'POST', body: request })
          return Buffer.from(await body.arrayBuffer())
        },
      })
    },
    async close() {
      for (const end of ends) await end()
      return true
    },
  }
}

async function bodyOf(request: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Also where clients keep their connections. */
export function closed(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
    server.closeAllConnections()
  })
}
