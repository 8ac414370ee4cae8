/**
 * One direction of a carried connection, where it is received: packets in their order, each once, whatever is lost or
 * comes twice on the way; and up to which of them the local side has taken all. It knows no time and no NATS.
 */
import { takePooledMemory } from '../../engine/protocol/allocation.js'
import { damaged, type EndCode, type Sequenced, type Terms } from './packet.js'

export type Received =
  /** Frames to hand over, in order; none: the piece of one. */
  | { readonly kind: 'frames'; readonly frames: readonly Buffer[] }
  | { readonly kind: 'end'; readonly code: EndCode }
  /** It has come before. */
  | { readonly kind: 'duplicate' }
  /** Something before it is missing. It was not taken, and has to come again. */
  | { readonly kind: 'gap' }

interface Waiting {
  readonly seq: number
  readonly end: number
  readonly frames: number
  /** Its last frame has no bytes: that `end` was handed over says nothing of it. */
  readonly endsEmpty: boolean
}

interface Assembly {
  readonly total: number
  /** What has come, and room for more of it. */
  memory: Buffer
  filled: number
}

/** For each byte that has come there is memory for so many: what is only announced costs nothing. */
const BYTES_FOR_EACH = 32
const NOTHING = Buffer.alloc(0)

export class ReceiveHalf {
  readonly #terms: Terms
  #received = 0
  #handedOver = 0
  #framesReceived = 0
  #framesHandedOver = 0
  /** Packets that came and were not handed over: the position of their last byte among the bytes of all frames. */
  readonly #waiting: Waiting[] = []
  #bytesReceived = 0
  #bytesHandedOver = 0
  #assembly: Assembly | undefined
  #endSeq: number | undefined
  /** The packet behind which others were asked for. */
  #asked: number | undefined

  constructor(terms: Terms) {
    this.#terms = terms
  }

  /** The last packet that came, with all before it. */
  get received(): number {
    return this.#received
  }

  get handedOver(): number {
    return this.#handedOver
  }

  /** Whole frames that came. */
  get framesReceived(): number {
    return this.#framesReceived
  }

  /** Of those, how many were handed over, as far as is known. */
  get framesHandedOver(): number {
    return this.#framesHandedOver
  }

  /** Payload bytes of frames that came and were not handed over. */
  get bytesWaiting(): number {
    return this.#bytesReceived - this.#bytesHandedOver
  }

  get isEnded(): boolean {
    return this.#endSeq !== undefined
  }

  /** Whether the end has come, and it and all before it was handed over. */
  get isDone(): boolean {
    return this.#endSeq !== undefined && this.#handedOver === this.#endSeq
  }

  /** @throws {TransportError} ERR_FRAMING, ERR_FRAME_TOO_LARGE */
  take(packet: Sequenced): Received {
    if (packet.seq <= this.#received) return { kind: 'duplicate' }
    if (packet.seq > this.#received + 1) return { kind: 'gap' }
    if (this.#endSeq !== undefined) throw damaged('a packet behind the end')
    const taken = this.#read(packet)
    const frames = taken.kind === 'frames' ? taken.frames.length : 0
    this.#framesReceived += frames
    this.#received = packet.seq
    this.#asked = undefined
    // Parts of one frame are handed over together: however small they are, one entry stands for all.
    if (packet.kind === 'part' && packet.offset > 0) this.#waiting.pop()
    const endsEmpty = taken.kind === 'frames' && taken.frames.at(-1)?.length === 0
    this.#waiting.push({ seq: packet.seq, end: this.#bytesReceived, frames, endsEmpty })
    if (packet.kind === 'end') this.#endSeq = packet.seq
    return taken
  }

  /** The other bridge has published up to this packet. True: some are missing, and nobody has asked for them yet. */
  misses(sent: number): boolean {
    if (sent <= this.#received || this.#asked === this.#received) return false
    this.#asked = this.#received
    return true
  }

  /** What was asked for may not have come through: it may be asked for again. */
  forgetAsking(): void {
    this.#asked = undefined
  }

  /**
   * Bytes of frames were handed over, counted from the first one. The end is not among them. `isAll`: nothing that was
   * given waits, not even a frame without bytes. True: that is news.
   */
  onHandedOver(bytes: number, isAll: boolean): boolean {
    const before = this.#handedOver
    let gone = 0
    for (const { seq, end, frames, endsEmpty } of this.#waiting) {
      const isOver = end < bytes || (end === bytes && (isAll || !endsEmpty))
      if (!isOver || seq === this.#endSeq) break
      this.#handedOver = seq
      this.#bytesHandedOver = end
      this.#framesHandedOver += frames
      gone++
    }
    this.#waiting.splice(0, gone)
    return this.#handedOver > before
  }

  /** The end of the stream was passed on, and all before it. */
  onEndHandedOver(): void {
    this.#handedOver = this.#received
    this.#bytesHandedOver = this.#bytesReceived
    this.#framesHandedOver = this.#framesReceived
    this.#waiting.length = 0
  }

  #read(packet: Sequenced): Received {
    switch (packet.kind) {
      case 'end':
        if (this.#assembly !== undefined) throw damaged('an end inside of a frame')
        return { kind: 'end', code: packet.code }
      case 'frames': {
        if (this.#assembly !== undefined) throw damaged('a frame inside of another')
        const bytes = packet.frames.reduce((sum, frame) => sum + frame.length, 0)
        this.#admit(bytes, packet.frames.length)
        this.#bytesReceived += bytes
        return { kind: 'frames', frames: packet.frames }
      }
      case 'part':
        return { kind: 'frames', frames: this.#assemble(packet) }
    }
  }

  #assemble({ total, offset, bytes }: Extract<Sequenced, { kind: 'part' }>): readonly Buffer[] {
    if (offset === 0) {
      if (this.#assembly !== undefined) throw damaged('a frame inside of another')
      if (total > this.#terms.maxFrameBytes) throw damaged('a frame larger than was agreed')
      this.#admit(total, 1)
      // One frame at a time, of a size that was agreed: the bound of the window counts on it.
      this.#assembly = { total, memory: NOTHING, filled: 0 }
    }
    const assembly = this.#assembly
    if (assembly?.filled !== offset || assembly.total !== total) {
      throw damaged('a part of another frame')
    }
    const come = offset + bytes.length
    const fair = Math.min(total, come * BYTES_FOR_EACH)
    // All of it as soon as may be: then little has to be moved.
    if (come > assembly.memory.length || (fair === total && assembly.memory.length < total)) {
      const grown = takePooledMemory(fair)
      assembly.memory.copy(grown, 0, 0, offset)
      assembly.memory = grown
    }
    assembly.memory.set(bytes, offset)
    assembly.filled = come
    this.#bytesReceived += bytes.length
    if (come < total) return []
    this.#assembly = undefined
    return [assembly.memory]
  }

  /** The window is what the other bridge may have on its way: it is no peer of ours that sends more. */
  #admit(bytes: number, frames: number): void {
    const { windowBytes, windowFrames, maxFrameBytes } = this.#terms
    const isOver =
      this.bytesWaiting + bytes > windowBytes + maxFrameBytes || this.#framesWaiting + frames > windowFrames
    if (isOver) throw damaged('more than the window has room for')
  }

  get #framesWaiting(): number {
    return this.#framesReceived - this.#framesHandedOver
  }
}
