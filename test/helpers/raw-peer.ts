/** The peer of a connection over shared memory, written from docs/wire.md, which may do all that it must not. */
import { once } from 'node:events'
import net from 'node:net'
import fs from 'node:fs'
import { Ledger } from '../../engine/common/ledger.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import type { Mapping, NativeMemory } from '../../engine/native/native-memory.js'
import { greet } from '../../engine/shared-memory/handshake.js'
import type { Segment } from '../../engine/shared-memory/segment.js'
import { SocketLane } from './socket-lane.js'

/** Byte offsets of the header page. */
const DIRECTIONS = [256, 768] as const
const WORD_BYTES = 4
export const words = {
  TAIL: 0,
  RING: 4,
  SWITCH_AT: 8,
  STATE: 12,
  SPACE_AT: 16,
  HEAD: 128,
  RING_ACK: 132,
  NOTIFY_AT: 136,
  NOTIFY: 256,
  SPACE: 384,
} as const
export type WordName = keyof typeof words

export interface RawParts {
  readonly native: NativeMemory
  readonly firstRingBytes: number
  readonly mostRingBytes: number
}

export class RawPeer {
  /** All of the segment. */
  readonly bytes: Buffer
  readonly ringBytes: number
  readonly descriptor: number
  tail = 0
  readonly #header: Int32Array
  readonly #segment: Segment
  readonly #socket: SocketHandle
  readonly #mapping: Mapping

  /** One at a time: what is mapped meanwhile is taken for its segment. @throws As `greet()`. */
  static async dial(path: string, { native, firstRingBytes, mostRingBytes }: RawParts): Promise<RawPeer> {
    const socket = net.connect({ path, allowHalfOpen: true })
    await once(socket, 'connect')
    let mapped: { fd: number; mapping: Mapping } | undefined
    const parts = { ledger: new Ledger(), firstRingBytes, mostRingBytes }
    const observed: NativeMemory = {
      provider: native.provider,
      hasMemfd: native.hasMemfd,
      createMemfd: (name) => native.createMemfd(name),
      sealSize: (fd) => native.sealSize(fd),
      isSizeSealed: (fd) => native.isSizeSealed(fd),
      reserve: (...values) => native.reserve(...values),
      map: (fd, length) => {
        const mapping = native.map(fd, length)
        // One of its own: that of the segment is closed once both ends have mapped it.
        mapped = { fd: fs.openSync(`/proc/self/fd/${String(fd)}`, 'r+'), mapping }
        return mapping
      },
      peerOf: (fd) => native.peerOf(fd),
    }
    const agreed = await greet(new SocketLane(socket), { ...parts, native: observed })
    if (agreed === undefined || mapped === undefined) throw new Error('no memory is shared')
    return new RawPeer(agreed.segment, agreed.socket, mapped, firstRingBytes)
  }

  private constructor(
    segment: Segment,
    socket: SocketHandle,
    { fd, mapping }: { readonly fd: number; readonly mapping: Mapping },
    ringBytes: number,
  ) {
    this.#segment = segment
    this.#socket = socket
    this.#mapping = mapping
    this.descriptor = fd
    this.bytes = Buffer.from(mapping.view(0, mapping.length))
    this.#header = new Int32Array(mapping.view(0, 4096))
    this.ringBytes = ringBytes
  }

  load(direction: 0 | 1, name: WordName): number {
    return Atomics.load(this.#header, (DIRECTIONS[direction] + words[name]) / WORD_BYTES)
  }

  store(direction: 0 | 1, name: WordName, value: number): void {
    Atomics.store(this.#header, (DIRECTIONS[direction] + words[name]) / WORD_BYTES, value)
  }

  /** Of the ring that it begins with; this end sends in direction 0. */
  get room(): number {
    const room = this.ringBytes - ((this.tail - this.load(0, 'HEAD')) | 0)
    return Math.min(Math.max(0, room), this.ringBytes)
  }

  /** A frame as it must be, if there is room; its length may be a lie. Returns the offset of the length. */
  publish(payload: Uint8Array, length = payload.length): number | undefined {
    if (payload.length + 4 > this.room) return undefined
    const frame = Buffer.alloc(4 + payload.length)
    frame.writeUInt32LE(length >>> 0)
    frame.set(payload, 4)
    const at = this.#offset(this.tail)
    for (const [i, byte] of frame.entries()) this.bytes[this.#offset((this.tail + i) | 0)] = byte
    this.tail = (this.tail + frame.length) | 0
    this.store(0, 'TAIL', this.tail)
    return at
  }

  /** Takes all that has come, unread. */
  drain(): void {
    this.store(1, 'HEAD', this.load(1, 'TAIL'))
    this.store(1, 'RING_ACK', this.load(1, 'RING'))
  }

  /** The other end looks. */
  wake(times = 1): void {
    try {
      fs.writeSync(this.#socket.fd, Buffer.alloc(times))
    } catch {
      // It is full, or the other end is gone.
    }
  }

  /** Zeros in the place of a part. */
  discard(offset: number, length: number): void {
    this.#mapping.discard(offset, length)
  }

  close(): void {
    fs.closeSync(this.descriptor)
    this.#segment.release()
    this.#socket.close()
  }

  /** The rings of the smallest size come first. */
  #offset(position: number): number {
    return 4096 + (position & (this.ringBytes - 1))
  }
}
