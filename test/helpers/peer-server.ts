/** A listener whose connections are remembered with what each of them received, in order. */
import type { Connection, Engine, Listener, Transport, TransportOptions } from '../../api/index.js'

export interface Heard {
  readonly connection: Connection
  /** Numbers that frames began with. */
  readonly numbers: number[]
}

export class PeerServer {
  readonly heard: Heard[] = []
  readonly transport: Transport
  readonly #echoes: boolean
  #listener: Listener | undefined
  /** Connections are left unread, so that all that is sent piles up. */
  isDeaf = false

  constructor(engine: Engine, endpoint: string, options: TransportOptions = {}, echoes = false) {
    this.transport = engine.transport(endpoint, options)
    this.#echoes = echoes
  }

  async listen(): Promise<this> {
    this.#listener = await this.transport.listen((connection) => {
      const numbers: number[] = []
      this.heard.push({ connection, numbers })
      if (this.isDeaf) return
      connection.subscribe((frame) => {
        numbers.push(Number.parseInt(String(frame.subarray(0, 12)), 10))
        if (this.#echoes) connection.send(frame)
      })
    })
    return this
  }

  get last(): Heard | undefined {
    return this.heard.at(-1)
  }

  /** Cuts the newest connection. */
  kill(): void {
    this.last?.connection.destroy()
  }

  async close(): Promise<void> {
    for (const { connection } of this.heard) connection.destroy()
    await this.#listener?.close()
  }
}

/** A frame that begins with its number. */
export function numbered(i: number, bytes = 12): Buffer {
  const frame = Buffer.alloc(Math.max(12, bytes), 'x')
  frame.write(String(i).padStart(12, '0'))
  return frame
}
