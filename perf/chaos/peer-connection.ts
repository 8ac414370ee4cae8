/** One connection of a peer: records each frame, sends it back, and misbehaves when ordered to. */
import { Random } from '../harness/seeded-random.js'
import { makeFrame, openFrame, stampConnection } from './campaign-frames.js'
import { readOrder, type Misbehaviour } from './misbehaviour.js'
import { encode, FrameParser, garbage, head, type PeerFraming } from './peer-framing.js'
import type { RecordEntry, Recorder } from './record.js'

/** The bytes below: a socket, a pair of pipes, a connection of an engine. */
export interface PeerPipe {
  write(bytes: Buffer): void
  /** Everything written leaves, then the end of the stream. */
  end(): void
  cut(): void
}

export interface PeerHost {
  readonly framing: PeerFraming
  readonly recorder: Recorder
  /** How many of the next connections are cut at once. */
  refuse(count: number): void
}

export class PeerConnection {
  readonly #pipe: PeerPipe
  readonly #host: PeerHost
  readonly #parser: FrameParser
  /** The number that the other side gives this connection. */
  #connection = 0
  /** It has misbehaved: it still reads, and sends nothing any more. */
  #isMute = false
  #entries: RecordEntry[] = []
  #echoes: Buffer[] = []

  constructor(pipe: PeerPipe, host: PeerHost) {
    this.#pipe = pipe
    this.#host = host
    this.#parser = new FrameParser(host.framing, (frame) => {
      this.#onFrame(frame)
    })
  }

  onBytes(chunk: Buffer): void {
    this.#parser.push(chunk)
    this.#flush()
  }

  #onFrame(frame: Buffer): void {
    const opened = openFrame(frame)
    // The engine has sent bytes that it was never given. They are recorded under a number that no frame has.
    if (opened === undefined) {
      this.#entries.push({ connection: this.#connection, number: 0xffffffff })
      return
    }
    if (opened.purpose === 'hello') this.#connection = opened.number
    else if (opened.purpose !== 'ask') this.#entries.push({ connection: this.#connection, number: opened.number })
    if (!this.#isMute) {
      stampConnection(frame, this.#connection)
      this.#echoes.push(encode(this.#host.framing, frame))
    }
    if (opened.purpose !== 'order') return
    this.#flush()
    this.#misbehave(readOrder(opened.payload))
  }

  /** Record first: then every frame that was echoed is recorded, whatever happens in between. */
  #flush(): void {
    if (this.#entries.length > 0) this.#host.recorder.add(this.#entries)
    this.#entries = []
    if (this.#echoes.length > 0) this.#pipe.write(Buffer.concat(this.#echoes))
    this.#echoes = []
  }

  #misbehave(order: Misbehaviour): void {
    if (this.#isMute) return
    this.#isMute = true
    const pipe = this.#pipe
    switch (order.do) {
      case 'half-frame':
        pipe.write(encode(this.#host.framing, makeFrame(0, 'data', Buffer.alloc(order.keep))).subarray(0, order.keep))
        if (order.then === 'end') pipe.end()
        else pipe.cut()
        break
      case 'garbage': {
        const random = new Random(order.seed)
        const noise = Buffer.from(Array.from({ length: order.bytes }, () => random.below(256)))
        pipe.write(garbage(this.#host.framing, noise))
        break
      }
      case 'oversized':
        pipe.write(head(this.#host.framing, order.announce))
        break
      case 'end':
        pipe.end()
        break
      case 'cut':
        pipe.cut()
        break
      case 'refuse':
        this.#host.refuse(order.count)
        pipe.cut()
    }
  }
}
