/** A pool of `net` sockets as one writes it by hand: the one that came back last is lent first, others wait in line. */
import net from 'node:net'
import type { Sharing } from '../harness/messages.js'
import { Due, inTurn, type Asker } from './asker.js'
import { LengthParser } from './length-parser.js'

/** A socket that sends frames and gets an answer to each, in their order. */
class AskingSocket {
  readonly #socket: net.Socket
  readonly #due = new Due()

  private constructor(socket: net.Socket) {
    this.#socket = socket
    const parser = new LengthParser((frame) => {
      this.#due.answer(frame)
    })
    socket.on('data', (chunk: Buffer) => {
      parser.push(chunk)
    })
    socket.on('close', () => {
      this.#due.fail()
    })
  }

  static connect(path: string): Promise<AskingSocket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(path)
      socket.on('error', reject)
      socket.once('connect', () => {
        resolve(new AskingSocket(socket))
      })
    })
  }

  ask(frame: Buffer): Promise<Buffer> {
    return this.#due.next(() => this.#socket.write(frame))
  }

  close(): void {
    this.#socket.destroy()
  }
}

export class SocketPool implements Asker {
  readonly #sockets: readonly AskingSocket[]
  readonly #idle: AskingSocket[]
  readonly #waiting: ((socket: AskingSocket) => void)[] = []
  readonly #ask: (frame: Buffer) => Promise<Buffer>

  private constructor(sockets: readonly AskingSocket[], sharing: Sharing) {
    this.#sockets = sockets
    this.#idle = [...sockets]
    const next = inTurn(sockets)
    this.#ask = sharing === 'lease' ? (frame) => this.#lend(frame) : (frame) => next().ask(frame)
  }

  static async connect(path: string, count: number, sharing: Sharing): Promise<SocketPool> {
    const sockets: AskingSocket[] = []
    for (let i = 0; i < count; i++) sockets.push(await AskingSocket.connect(path))
    return new SocketPool(sockets, sharing)
  }

  ask(request: Buffer): Promise<Buffer> {
    const frame = Buffer.allocUnsafe(4 + request.length)
    frame.writeUInt32LE(request.length)
    request.copy(frame, 4)
    return this.#ask(frame)
  }

  close(): void {
    for (const socket of this.#sockets) socket.close()
  }

  async #lend(frame: Buffer): Promise<Buffer> {
    const socket = this.#idle.pop() ?? (await new Promise<AskingSocket>((resolve) => this.#waiting.push(resolve)))
    try {
      return await socket.ask(frame)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#idle.push(socket)
      else next(socket)
    }
  }
}
