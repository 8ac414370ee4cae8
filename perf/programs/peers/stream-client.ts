/** Length framing by hand over a pair of streams: what a user writes who has sockets or a child's pipes. */
import type { Readable, Writable } from 'node:stream'
import { LengthParser } from '../length-parser.js'
import { drained, NO_PAYLOAD, pourInto, type ComparedClient, type Payload } from './compared-stack.js'

const LENGTH_BYTES = 4

export function withLength(payload: Payload): Buffer {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + payload.length)
  frame.writeUInt32LE(payload.length)
  if (typeof payload === 'string') frame.write(payload, LENGTH_BYTES, 'latin1')
  else frame.set(payload, LENGTH_BYTES)
  return frame
}

/** Answers each frame; the answers to all requests of a chunk leave with one write. */
export function answerFrames(incoming: Readable, out: Writable): void {
  const parser = new LengthParser((frame) => out.write(withLength(frame)))
  incoming.on('data', (chunk: Buffer) => {
    out.cork()
    parser.push(chunk)
    out.uncork()
  })
}

export function takeFrames(incoming: Readable, onMessage: (message: Payload) => void): void {
  const parser = new LengthParser(onMessage)
  incoming.on('data', (chunk: Buffer) => {
    parser.push(chunk)
  })
}

export class StreamClient implements ComparedClient {
  readonly #out: Writable
  readonly #corkFrames: number
  #frames: readonly Buffer[] = []
  #onAnswer: (answer: Payload) => void = () => undefined

  constructor(out: Writable, incoming: Readable, corkFrames = 1) {
    this.#out = out
    this.#corkFrames = corkFrames
    takeFrames(incoming, (frame) => {
      this.#onAnswer(frame)
    })
  }

  prepare(messages: readonly Payload[]): void {
    this.#frames = messages.map(withLength)
  }

  ask(stamp: number, onAnswer: (answer: Payload) => void): void {
    this.#onAnswer = onAnswer
    this.#out.write(this.#frames[stamp] ?? NO_PAYLOAD)
  }

  async pour(count: number): Promise<void> {
    const send = (stamp: number): boolean => this.#out.write(this.#frames[stamp] ?? NO_PAYLOAD)
    if (this.#corkFrames === 1) {
      await pourInto(count, send, () => drained(this.#out))
      return
    }
    let corked = 0
    const flush = (): void => {
      corked = 0
      this.#out.uncork()
    }
    const sendCorked = (stamp: number): boolean => {
      if (corked === 0) this.#out.cork()
      const hasRoom = send(stamp)
      if (++corked < this.#corkFrames) return true
      flush()
      return hasRoom
    }
    await pourInto(count, sendCorked, () => drained(this.#out))
    if (corked > 0) flush()
  }
}
