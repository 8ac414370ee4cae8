/** The baselines: plain `net`, one write a frame or a thousand frames corked, and a length parser on the other side. */
import net from 'node:net'
import type { SideConfig } from '../harness/messages.js'
import { LengthParser } from './length-parser.js'
import type { Peer, PeerStack } from './peer.js'
import { stampedFrames } from './stamped-frames.js'

const NOTHING = Buffer.alloc(0)

class NetPeer implements Peer {
  readonly #socket: net.Socket
  readonly #corkFrames: number
  #corked = 0
  #frames: Buffer[] = []

  constructor(socket: net.Socket, corkFrames: number, onFrame: (frame: Buffer) => void) {
    this.#socket = socket
    this.#corkFrames = corkFrames
    const parser = new LengthParser(onFrame)
    socket.on('data', (chunk) => {
      parser.push(chunk)
    })
  }

  prepare(bytes: number): void {
    this.#frames = stampedFrames(bytes, true)
  }

  send(stamp: number): boolean {
    const frame = this.#frames[stamp] ?? NOTHING
    if (this.#corkFrames <= 1) return this.#socket.write(frame)
    if (this.#corked === 0) this.#socket.cork()
    const room = this.#socket.write(frame)
    if (++this.#corked < this.#corkFrames) return true
    this.flush()
    return room
  }

  flush(): void {
    if (this.#corked === 0) return
    this.#corked = 0
    this.#socket.uncork()
  }

  ready(): Promise<void> {
    if (!this.#socket.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => this.#socket.once('drain', resolve))
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
          resolve(new NetPeer(socket, config.corkFrames, onFrame))
        })
      }),
    listen: (onPeer) =>
      listen((socket) => {
        let onFrame: (frame: Buffer) => void = () => undefined
        onFrame = onPeer(
          new NetPeer(socket, 1, (frame) => {
            onFrame(frame)
          }),
        )
      }),
    echo: () =>
      listen((socket) => {
        socket.on('data', (chunk) => socket.write(chunk))
      }),
    close: () => {
      for (const resource of open) resource.close()
      return Promise.resolve(true)
    },
  }
}
