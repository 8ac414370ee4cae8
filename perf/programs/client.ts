/** What asks: one connection with one request at a time. */
import net from 'node:net'
import type { Connection } from '../../api/index.js'
import type { Question } from '../harness/work.js'

export interface Client {
  /** Where the payload of its requests and answers begins. */
  readonly payloadAt: number
  /** Whether the answer was right. @throws if the connection ends before */
  request(question: Question): Promise<boolean>
  close(): void
}

interface Pending {
  readonly answer: Buffer
  answered: number
  isRight: boolean
  readonly resolve: (isRight: boolean) => void
  readonly reject: (error: Error) => void
}

/** Plain `net`: its requests and answers are as they are on the wire. */
export class NetClient implements Client {
  readonly payloadAt = 4
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

/** A connection of an engine: its requests and answers are frames without a header. */
export class EngineClient implements Client {
  readonly payloadAt = 0
  readonly #connection: Connection
  #pending: Omit<Pending, 'answered' | 'isRight'> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
    connection.subscribe(
      (frame) => {
        this.#onFrame(frame)
      },
      { borrow: true },
    )
    void connection.closed.then(({ cause }) => {
      this.#pending?.reject(new Error('a connection ended before an answer', { cause }))
    })
  }

  request({ request, answer }: Question): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#pending = { answer, resolve, reject }
      // One small request at a time: there is always room.
      this.#connection.send(request)
    })
  }

  close(): void {
    this.#connection.destroy()
  }

  #onFrame(frame: Buffer): void {
    const pending = this.#pending
    this.#pending = undefined
    if (pending === undefined) this.#connection.destroy()
    else pending.resolve(pending.answer.equals(frame))
  }
}
