/**
 * Plain `net` clients, each in a closed loop: it sends its next request once the whole answer to its last one is back.
 * A request is a frame of the default framing. Its answer is the same frame, or what the work comes to that is asked.
 */
import net from 'node:net'
import { Distribution } from '../harness/distribution.js'
import type { RequestsOrder, RequestsResult } from '../harness/messages.js'
import { workRequests, type Question } from '../harness/work.js'

const LENGTH_BYTES = 4
const NUMBER_BYTES = 4
/** Of the first request of each connection. */
const FIRST_BYTES = 64

interface Pending {
  readonly answer: Buffer
  answered: number
  isRight: boolean
  readonly resolve: (isRight: boolean) => void
  readonly reject: (error: Error) => void
}

/** One connection, with one request at a time. */
class Client {
  readonly #socket: net.Socket
  #pending: Pending | undefined

  constructor(path: string) {
    this.#socket = net.connect(path)
    this.#socket.on('data', (chunk: Buffer) => {
      this.#onData(chunk)
    })
    let cause: Error | undefined
    this.#socket.on('error', (error) => {
      cause = error
    })
    this.#socket.on('close', () => {
      this.#pending?.reject(new Error('a connection ended before an answer', { cause }))
    })
  }

  /** Whether the answer was right. @throws if the connection ends before */
  request({ request, answer }: Question): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('a connection ended before a request'))
        return
      }
      this.#pending = { answer, answered: 0, isRight: true, resolve, reject }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    const pending = this.#pending
    if (pending === undefined) {
      // Nothing was asked.
      this.#socket.destroy()
      return
    }
    const { answer, answered } = pending
    pending.answered += chunk.length
    pending.isRight &&=
      pending.answered <= answer.length && answer.compare(chunk, 0, chunk.length, answered, pending.answered) === 0
    if (pending.answered < answer.length) return
    this.#pending = undefined
    pending.resolve(pending.isRight)
  }
}

export class Clients {
  readonly #clients: readonly Client[]

  private constructor(clients: readonly Client[]) {
    this.#clients = clients
  }

  static async connect(path: string, count: number): Promise<Clients> {
    const clients: Client[] = []
    for (let i = 0; i < count; i++) {
      const client = new Client(path)
      clients.push(client)
      const request = frameOf(FIRST_BYTES).fill(0, LENGTH_BYTES)
      // Who is answered was accepted: so the backlog never fills. All zeros ask for no work, of which nothing comes.
      if (!(await client.request({ request, answer: request }))) throw new Error('the first answer is wrong')
    }
    return new Clients(clients)
  }

  async request({ bytes, count, laps }: RequestsOrder): Promise<RequestsResult> {
    const micros = new Float64Array(count)
    let next = 0
    let answered = 0
    let wrong = 0
    const works = laps === undefined ? undefined : workRequests(frameOf(bytes), LENGTH_BYTES, laps)
    const asking = this.#clients.map((client) => ({ client, ask: works ?? echoes(bytes) }))
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

function frameOf(bytes: number): Buffer {
  const frame = Buffer.alloc(LENGTH_BYTES + bytes, 'x')
  frame.writeUInt32LE(bytes)
  return frame
}

/** One client's requests, one after the other, which share a frame. */
function echoes(bytes: number): (number: number) => Question {
  const frame = frameOf(bytes)
  const question = { request: frame, answer: frame }
  return (number) => {
    setNumber(frame, number)
    return question
  }
}

/** No two clients wait for the same answer, unless there are more of them than a short frame has values. */
function setNumber(frame: Buffer, number: number): void {
  const width = Math.min(NUMBER_BYTES, frame.length - LENGTH_BYTES)
  frame.writeUIntLE(number % 256 ** width, LENGTH_BYTES, width)
}
