/** A peer that is a listener of the host's own engine, with `raw` framing, so that it can say what is no frame. */
import type { Connection, Engine, Listener } from '../../api/index.js'
import { PeerConnection, type PeerHost } from './peer-connection.js'
import type { PeerFraming } from './peer-framing.js'
import { MemoryRecorder } from './record.js'

export class EnginePeer implements PeerHost {
  readonly recorder = new MemoryRecorder()
  readonly framing: PeerFraming
  #listener: Listener | undefined
  #refused = 0
  #pause: { readonly over: Promise<void>; readonly end: () => void } | undefined

  private constructor(framing: PeerFraming) {
    this.framing = framing
  }

  static async listen(engine: Engine, endpoint: string, framing: PeerFraming): Promise<EnginePeer> {
    const peer = new EnginePeer(framing)
    peer.#listener = await engine.transport(endpoint, { framing: 'raw' }).listen((connection) => {
      peer.#serve(connection)
    })
    return peer
  }

  refuse(count: number): void {
    this.#refused = count
  }

  /** Takes nothing from here on, until `resume()`. */
  pause(): void {
    let end = (): void => undefined
    const over = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#pause = { over, end }
  }

  resume(): void {
    this.#pause?.end()
    this.#pause = undefined
  }

  async close(): Promise<void> {
    this.resume()
    await this.#listener?.close()
  }

  #serve(connection: Connection): void {
    if (this.#refused > 0) {
      this.#refused--
      connection.destroy()
      return
    }
    let hasRoom = true
    const peer = new PeerConnection(
      {
        write: (bytes) => {
          hasRoom = sendIfOpen(connection, bytes)
        },
        end: () => void connection.end(),
        cut: () => {
          connection.destroy()
        },
      },
      this,
    )
    connection.subscribe((chunk) => {
      peer.onBytes(Buffer.from(chunk))
      if (this.#pause !== undefined) return this.#pause.over
      // Rejected when the connection ends: then nothing more is to come.
      return hasRoom ? undefined : connection.ready().catch(() => undefined)
    })
  }
}

/** False: wait for room. */
function sendIfOpen(connection: Connection, bytes: Buffer): boolean {
  try {
    return connection.send(bytes)
  } catch {
    // It has ended in the meantime; what it had taken is recorded.
    return true
  }
}
