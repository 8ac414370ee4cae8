/** An HTTP server as a host would write it: each request is a round trip to another process, and its answer checked. */
import http from 'node:http'
import { HOST_PATH, HOST_REPLY, type HostConfig } from '../harness/messages.js'
import { requirePackage } from '../harness/peer-package.js'
import { workRequests, type Question } from '../harness/work.js'
import type { Asker } from './asker.js'
import { closed } from './http-stack.js'

/** What a host sends to the process behind it, and gets back. */
const REQUEST_BYTES = 256

/** What is used of `fastify`. */
type Fastify = (options: { readonly forceCloseConnections: boolean }) => {
  get(
    path: string,
    handler: (
      request: { readonly params: { readonly laps: string } },
      reply: { code(status: number): unknown },
    ) => Promise<string>,
  ): void
  listen(options: { readonly path: string }): Promise<unknown>
  close(): Promise<void>
}

class Rounds {
  readonly #asker: Asker
  readonly #questions = new Map<string, (number: number) => Question>()
  #number = 0

  constructor(asker: Asker) {
    this.#asker = asker
  }

  /** The status of one request that takes so many laps of the process behind this one. */
  async next(laps: string): Promise<number> {
    const { request, answer } = this.#questionsOf(laps)(this.#number++)
    return (await this.#asker.ask(request)).equals(answer) ? 200 : 500
  }

  #questionsOf(laps: string): (number: number) => Question {
    let questions = this.#questions.get(laps)
    if (questions === undefined) {
      questions = workRequests(Buffer.alloc(REQUEST_BYTES), 0, Number(laps))
      this.#questions.set(laps, questions)
    }
    return questions
  }
}

/** Returns what ends it. */
export async function startHost({ server, path }: HostConfig, asker: Asker): Promise<() => Promise<void>> {
  const rounds = new Rounds(asker)
  switch (server) {
    case 'fastify': {
      const app = (requirePackage('fastify') as Fastify)({ forceCloseConnections: true })
      app.get(`${HOST_PATH}:laps`, async ({ params }, reply) => {
        const status = await rounds.next(params.laps)
        if (status !== 200) reply.code(status)
        return HOST_REPLY
      })
      await app.listen({ path })
      return () => app.close()
    }
    case 'node:http': {
      const plain = http.createServer((request, response) => {
        const laps = request.url?.slice(HOST_PATH.length) ?? ''
        rounds.next(laps).then(
          (status) => response.writeHead(status).end(HOST_REPLY),
          () => response.writeHead(500).end(),
        )
      })
      await new Promise<void>((resolve) => plain.listen(path, resolve))
      return () => closed(plain)
    }
  }
}
