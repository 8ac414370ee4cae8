/**
 * One direction of a carried connection, where it is sent: which packets the frames go in, which of them are kept until
 * the other bridge has handed them over, and what has become of each frame. It knows no time and no NATS.
 *
 * A packet that was published may be lost while nobody is told, so all are kept, in order, until `onHandedOver()`. What
 * is kept is bounded: no frame is taken while `windowBytes` or `windowFrames` are on their way.
 */
import { damaged, HEADER_BYTES, LENGTH_BYTES, PART_BYTES, startPacket, type EndCode } from './packet.js'

/** What became of the frames that a direction was given. Together they are all of them. */
export interface Fates {
  /** The other bridge has said that the operating system at its side took them. */
  readonly handedOver: number
  /** They were published: the other side may have got them, or not. */
  readonly unconfirmed: number
  /** They were never published. */
  readonly unsent: number
}

export interface Window {
  readonly windowBytes: number
  readonly windowFrames: number
  /** Most bytes of a packet, its header included. */
  readonly packetBytes: number
}

interface Kept {
  readonly seq: number
  readonly packet: Buffer
  /** How many frames end in it, and how many bytes of frames it has. */
  readonly frames: number
  readonly bytes: number
}

export class SendHalf {
  readonly #window: Window
  /** What was not handed over, oldest first. */
  readonly #kept: Kept[] = []
  #last = 0
  #handedOver = 0
  #framesHandedOver = 0
  /** The next packet to publish, as an index of those kept. */
  #next = 0
  /** The last packet that was ever published. */
  #published = 0
  #open: Uint8Array[] = []
  #openBytes = 0
  #keptBytes = 0
  #keptFrames = 0
  #endSeq: number | undefined

  constructor(window: Window) {
    this.#window = window
  }

  /** Whether the next frame may be taken. */
  get hasRoom(): boolean {
    const { windowBytes, windowFrames } = this.#window
    return this.#endSeq === undefined && this.bytesKept < windowBytes && this.framesKept < windowFrames
  }

  /** Payload bytes that were taken and not handed over: less than windowBytes, and one frame. */
  get bytesKept(): number {
    return this.#keptBytes + this.#openBytes
  }

  get framesKept(): number {
    return this.#keptFrames + this.#open.length
  }

  /** The last packet that was published. */
  get published(): number {
    return this.#published
  }

  /** Whether the end was published, and all before it was handed over, and itself. */
  get isDone(): boolean {
    return this.#endSeq !== undefined && this.#handedOver >= this.#endSeq
  }

  get isEnded(): boolean {
    return this.#endSeq !== undefined
  }

  get fates(): Fates {
    let unconfirmed = 0
    for (const { seq, frames } of this.#kept) if (seq <= this.#published) unconfirmed += frames
    return { handedOver: this.#framesHandedOver, unconfirmed, unsent: this.framesKept - unconfirmed }
  }

  /** Takes a frame, whose bytes may not change any more. */
  take(frame: Uint8Array): void {
    const room = this.#window.packetBytes - HEADER_BYTES
    const needed = LENGTH_BYTES + frame.length
    if (needed > room) {
      this.seal()
      this.#split(frame)
      return
    }
    if (this.#openBytes + this.#open.length * LENGTH_BYTES + needed > room) this.seal()
    this.#open.push(frame)
    this.#openBytes += frame.length
  }

  /** Nothing follows. What is not 'OK' says why. */
  end(code: EndCode): void {
    if (this.#endSeq !== undefined) return
    this.seal()
    const text = Buffer.from(code)
    const packet = startPacket('end', this.#last + 1, text.length)
    text.copy(packet, HEADER_BYTES)
    this.#keep(packet, 0, 0)
    this.#endSeq = this.#last
  }

  /** Closes the packet that frames are being put into. */
  seal(): void {
    if (this.#open.length === 0) return
    const frames = this.#open
    const packet = startPacket('frames', this.#last + 1, this.#openBytes + frames.length * LENGTH_BYTES)
    let at = HEADER_BYTES
    for (const frame of frames) {
      packet.writeUInt32BE(frame.length, at)
      packet.set(frame, at + LENGTH_BYTES)
      at += LENGTH_BYTES + frame.length
    }
    const bytes = this.#openBytes
    this.#open = []
    this.#openBytes = 0
    this.#keep(packet, frames.length, bytes)
  }

  /** The next packet to publish, which counts as published from here on; undefined: there is none now. */
  next(): Buffer | undefined {
    const kept = this.#kept[this.#next]
    if (kept === undefined) return undefined
    this.#next++
    this.#published = Math.max(this.#published, kept.seq)
    return kept.packet
  }

  /**
   * The other bridge has handed over all up to this packet. True: that is news.
   * @throws {TransportError} ERR_FRAMING: it was never published
   */
  onHandedOver(seq: number): boolean {
    if (seq > this.#published) throw damaged('an account of packets that were never published')
    if (seq <= this.#handedOver) return false
    const count = seq - this.#handedOver
    for (const { frames, bytes } of this.#kept.splice(0, count)) {
      this.#framesHandedOver += frames
      this.#keptFrames -= frames
      this.#keptBytes -= bytes
    }
    this.#handedOver = seq
    this.#next = Math.max(0, this.#next - count)
    return true
  }

  /**
   * All behind this packet are to be published once more. Returns how many that are.
   * @throws {TransportError} ERR_FRAMING: it cannot have come
   */
  resendFrom(received: number): number {
    if (received > this.#published) throw damaged('an account of packets that were never published')
    // What was handed over has come, whatever an older account says.
    const next = Math.max(received, this.#handedOver) - this.#handedOver
    const again = Math.max(0, this.#next - next)
    this.#next = Math.min(this.#next, next)
    return again
  }

  #split(frame: Uint8Array): void {
    const most = this.#window.packetBytes - PART_BYTES
    for (let offset = 0; offset < frame.length; offset += most) {
      const piece = frame.subarray(offset, offset + most)
      const packet = startPacket('part', this.#last + 1, PART_BYTES - HEADER_BYTES + piece.length)
      packet.writeUInt32BE(frame.length, HEADER_BYTES)
      packet.writeUInt32BE(offset, HEADER_BYTES + 4)
      packet.set(piece, PART_BYTES)
      this.#keep(packet, offset + piece.length === frame.length ? 1 : 0, piece.length)
    }
  }

  #keep(packet: Buffer, frames: number, bytes: number): void {
    this.#last++
    this.#kept.push({ seq: this.#last, packet, frames, bytes })
    this.#keptFrames += frames
    this.#keptBytes += bytes
  }
}
