/**
 * A peer that is a listener of the host's own engine. It uses `raw` framing, so that it can send bytes that are no
 * frame.
 */
import type { Connection, Engine, Listener } from '../../api/index.js'
import { PeerConnection, type PeerHost } from './peer-connection.js'
import type { PeerFraming } from './peer-framing.js'
import { FileRecorder } from './record.js'

export class EnginePeer implements PeerHost {
  readonly recorder: FileRecorder
  readonly framing: PeerFraming
  #listener: Listener | undefined
  #refused = 0
  #pause: { readonly over: Promise<void>; readonly end: () => void } | undefined

  private constructor(framing: PeerFraming, record: string) {
    this.framing = framing
    this.recorder = new FileRecorder(record)
  }

  static async listen(engine: Engine, endpoint: string, framing: PeerFraming, record: string): Promise<EnginePeer> {
    const peer = new EnginePeer(framing, record)
    peer.#listener = await engine.transport(endpoint, { framing: 'raw' }).listen((connection) => {
      peer.#serve(connection)
    })
    return peer
  }

  refuse(count: number): void {
    this.#refused = count
  }

  /** Reads nothing from here on, until `resume()`. */
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
    this.recorder.close()
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
      // Rejects when the connection ends: then nothing more follows.
      return hasRoom ? undefined : connection.ready().catch(() => undefined)
    })
  }
}

/** False: wait for room. */
function sendIfOpen(connection: Connection, bytes: Buffer): boolean {
  try {
    return connection.send(bytes)
  } catch {
    // It has ended meanwhile; what it had received is recorded.
    return true
  }
}
