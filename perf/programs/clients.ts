/**
 * Clients in closed loops: each sends its next request once the whole answer to its last one is back. A request is one
 * frame, or several at once. Its answer is the same, or what the work comes to that is asked.
 */
import { Distribution } from '../harness/distribution.js'
import { STAMP_BASE, STAMPS, type RequestsOrder, type RequestsResult, type SideConfig } from '../harness/messages.js'
import { workRequests, type Question } from '../harness/work.js'
import type { Client } from './client.js'
import { encode, wireFraming, type WireFraming } from './wire-framing.js'

const NUMBER_BYTES = 4
/** Of the first request of each connection. */
const FIRST_BYTES = 64
/** Connections under way at one time: fewer than any backlog has room for. */
const AT_ONCE = 100

export class Clients {
  readonly #clients: readonly Client[]
  readonly #framing: WireFraming

  private constructor(clients: readonly Client[], framing: WireFraming) {
    this.#clients = clients
    this.#framing = framing
  }

  static async connect(
    dial: () => Client | Promise<Client>,
    { connections, framing: asked }: Pick<SideConfig, 'connections' | 'framing'>,
  ): Promise<Clients> {
    const framing = wireFraming(asked)
    const clients: Client[] = []
    const one = async (): Promise<void> => {
      const client = await dial()
      clients.push(client)
      const zeros = frameOf(FIRST_BYTES, client.payloadAt).fill(0, client.payloadAt)
      const request = framing === 'length' ? zeros : encode(framing, Buffer.alloc(FIRST_BYTES, 'x'))
      // Who is answered was accepted: so the backlog never fills. All zeros ask for no work, of which nothing comes.
      if (!(await client.request({ request, answer: request }))) throw new Error('the first answer is wrong')
    }
    for (let left = connections; left > 0; left -= AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, one))
    }
    return new Clients(clients, framing)
  }

  async request({ bytes, count, laps, batch = 1 }: RequestsOrder): Promise<RequestsResult> {
    const micros = new Float64Array(count)
    let next = 0
    let answered = 0
    let wrong = 0
    const at = this.#clients[0]?.payloadAt ?? 0
    const shared =
      laps !== undefined
        ? workRequests(frameOf(bytes, at), at, laps)
        : batch > 1 || this.#framing !== 'length'
          ? batches(bytes, this.#framing, batch)
          : undefined
    const asking = this.#clients.map((client) => ({ client, ask: shared ?? echoes(bytes, at) }))
    const startedAt = performance.now()
    const loops = asking.map(async ({ client, ask }) => {
      while (next < count) {
        const number = next++
        const question = ask(number)
        const sentAt = performance.now()
        const isRight = await client.request(question)
        micros[number] = (performance.now() - sentAt) * 1000
        answered++
        if (!isRight) wrong++
      }
    })
    await Promise.all(loops)
    const seconds = (performance.now() - startedAt) / 1000
    const took = Distribution.ofMicros(micros)
    return {
      kind: 'requests',
      seconds,
      count: answered,
      wrong,
      p50Micros: took.micros(50),
      p99Micros: took.micros(99),
      distribution: took.encoded,
    }
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }
}

/** With its length in front, where that is the client's business. */
function frameOf(bytes: number, payloadAt: number): Buffer {
  const frame = Buffer.alloc(payloadAt + bytes, 'x')
  if (payloadAt > 0) frame.writeUInt32LE(bytes)
  return frame
}

/** As they are on the wire, so of a client of plain `net`. */
function batches(bytes: number, framing: WireFraming, batch: number): (number: number) => Question {
  const questions = Array.from({ length: STAMPS }, (_, index) => {
    const frame = encode(framing, Buffer.alloc(bytes, STAMP_BASE + index))
    const request = Buffer.concat(Array.from({ length: batch }, () => frame))
    return { request, answer: request }
  })
  const [first] = questions
  if (first === undefined) throw new Error('there are no frames')
  return (number) => questions[number % STAMPS] ?? first
}

/** One client's requests, one after the other, which share a frame. */
function echoes(bytes: number, payloadAt: number): (number: number) => Question {
  const frame = frameOf(bytes, payloadAt)
  const question = { request: frame, answer: frame }
  const width = Math.min(NUMBER_BYTES, bytes)
  return (number) => {
    // No two clients wait for the same answer, unless there are more of them than a short frame has values.
    frame.writeUIntLE(number % 256 ** width, payloadAt, width)
    return question
  }
}
