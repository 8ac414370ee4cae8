/** The baselines: plain `net`, one write a frame or a thousand frames corked, and a length parser on the other side. */
import net from 'node:net'
import type { Readable, Writable } from 'node:stream'
import type { SideConfig } from '../harness/messages.js'
import { answerer } from '../harness/work.js'
import { NetClient } from './client.js'
import { LengthParser } from './length-parser.js'
import type { Peer, PeerStack } from './peer.js'
import { SocketPool } from './socket-pool.js'
import { stampedFrames } from './stamped-frames.js'
import { encode, parserOf, wireFraming } from './wire-framing.js'

const NOTHING = Buffer.alloc(0)

/** A peer behind a pair of streams; of a socket both are the same. */
export class StreamPeer implements Peer {
  readonly #out: Writable
  readonly #corkFrames: number
  #corked = 0
  #frames: Buffer[] = []

  constructor(out: Writable, incoming: Readable, corkFrames: number, onFrame: (frame: Buffer) => void) {
    this.#out = out
    this.#corkFrames = corkFrames
    const parser = new LengthParser(onFrame)
    incoming.on('data', (chunk: Buffer) => {
      parser.push(chunk)
    })
  }

  prepare(bytes: number): void {
    this.#frames = stampedFrames(bytes, true)
  }

  send(stamp: number): boolean {
    const frame = this.#frames[stamp] ?? NOTHING
    if (this.#corkFrames <= 1) return this.#out.write(frame)
    if (this.#corked === 0) this.#out.cork()
    const room = this.#out.write(frame)
    if (++this.#corked < this.#corkFrames) return true
    this.flush()
    return room
  }

  flush(): void {
    if (this.#corked === 0) return
    this.#corked = 0
    this.#out.uncork()
  }

  ready(): Promise<void> {
    if (!this.#out.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => this.#out.once('drain', resolve))
  }
}

export function netStack(config: SideConfig): PeerStack {
  const open: { close(): void }[] = []
  const keep = (socket: net.Socket): void => {
    open.push({ close: () => socket.destroy() })
    socket.on('error', () => undefined)
  }
  const listen = (onSocket: (socket: net.Socket) => void): Promise<void> =>
    new Promise((resolve) => {
      const server = net.createServer((socket) => {
        keep(socket)
        onSocket(socket)
      })
      open.push(server)
      server.listen(config.path, resolve)
    })
  return {
    connect: (onFrame) =>
      new Promise((resolve, reject) => {
        const socket = net.connect(config.path)
        socket.once('error', reject)
        socket.once('connect', () => {
          keep(socket)
          resolve(new StreamPeer(socket, socket, config.corkFrames, onFrame))
        })
      }),
    client: () => new NetClient(config.path),
    listen: (onPeer) =>
      listen((socket) => {
        let onFrame: (frame: Buffer) => void = () => undefined
        onFrame = onPeer(
          new StreamPeer(socket, socket, 1, (frame) => {
            onFrame(frame)
          }),
        )
      }),
    echo: () =>
      listen((socket) => {
        socket.on('data', (chunk) => socket.write(chunk))
      }),
    answer: (answering) => {
      const answer = answerer(answering)
      const framing = wireFraming(config.framing)
      return listen((socket) => {
        const parser = parserOf(framing, (frame) => socket.write(encode(framing, answer(frame))))
        socket.on('data', (chunk: Buffer) => {
          // The answers to all requests of a chunk leave with one write.
          socket.cork()
          parser.push(chunk)
          socket.uncork()
        })
      })
    },
    async asker(sharing) {
      const pool = await SocketPool.connect(config.path, config.connections, sharing)
      open.push(pool)
      return pool
    },
    close: () => {
      for (const resource of open) resource.close()
      return Promise.resolve(true)
    },
  }
}
