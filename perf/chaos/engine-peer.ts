/**
 * A peer that is a listener of an engine. It uses `raw` framing, so that it can send bytes that are no frame; through
 * shared memory there is none but `length`, and it sends whole frames alone.
 */
import type { Connection, Engine, Listener, Transport } from '../../api/index.js'
import { sendIfOpen } from './handler-peer.js'
import { PeerConnection, type PeerHost } from './peer-connection.js'
import { encode, FrameParser, MAX_FRAME_BYTES, type PeerFraming } from './peer-framing.js'
import { FileRecorder } from './record.js'

export class EnginePeer implements PeerHost {
  readonly recorder: FileRecorder
  readonly framing: PeerFraming
  #listener: Listener | undefined
  #refused = 0
  #pause: { readonly over: Promise<void>; readonly end: () => void } | undefined

  readonly #transport: Transport
  readonly #isFramed: boolean

  private constructor(engine: Engine, endpoint: string, framing: PeerFraming, record: string) {
    this.#isFramed = endpoint.startsWith('shm:')
    this.#transport = engine.transport(
      endpoint,
      this.#isFramed ? { framing, maxFrameBytes: MAX_FRAME_BYTES } : { framing: 'raw' },
    )
    this.framing = framing
    this.recorder = new FileRecorder(record)
  }

  static async listen(engine: Engine, endpoint: string, framing: PeerFraming, record: string): Promise<EnginePeer> {
    const peer = new EnginePeer(engine, endpoint, framing, record)
    await peer.listenAnew()
    return peer
  }

  async listenAnew(): Promise<void> {
    await this.#listener?.close()
    this.#listener = await this.#transport.listen((connection) => {
      this.#serve(connection)
    })
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
    const frames = new FrameParser(this.framing, (frame) => {
      hasRoom = sendIfOpen(connection, frame)
    })
    const peer = new PeerConnection(
      {
        write: (bytes) => {
          if (this.#isFramed) frames.push(bytes)
          else hasRoom = sendIfOpen(connection, bytes)
        },
        end: () => void connection.end(),
        cut: () => {
          connection.destroy()
        },
      },
      this,
    )
    connection.subscribe((chunk) => {
      peer.onBytes(this.#isFramed ? encode(this.framing, chunk) : Buffer.from(chunk))
      if (this.#pause !== undefined) return this.#pause.over
      // Rejects when the connection ends: then nothing more follows.
      return hasRoom ? undefined : connection.ready().catch(() => undefined)
    })
  }
}
