/** Translates the bytes of an out ring, cut anywhere, into those of the wire. */
import { FRAME_HEADER_BYTES } from '../../engine/shared/ring-layout.js'
import type { Encoder } from './codec.js'

const BUFFER_BYTES = 65_536
/** Buffers up to this size are used again, by any connection of the thread. */
const REUSED_BYTES = 1_048_576
const REUSED_BUFFERS = 4

const spares: Buffer[] = []

/** Where the translation stands in the stream of ring frames. */
type Place =
  | { readonly kind: 'header'; readonly have: number; readonly value: number }
  | { readonly kind: 'payload'; readonly missing: number }

const BOUNDARY: Place = { kind: 'header', have: 0, value: 0 }

export class Translation {
  readonly #encoder: Encoder
  #place: Place = BOUNDARY
  #target: Buffer = Buffer.alloc(0)
  #end = 0

  constructor(encoder: Encoder) {
    this.#encoder = encoder
  }

  /** The bytes of the wire for these bytes of the ring, in memory that stays as it is until `done()`. */
  translate(first: Uint8Array, second: Uint8Array | undefined): Buffer {
    this.#target = spares.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
    this.#end = 0
    this.#add(first as Buffer)
    if (second !== undefined) this.#add(second as Buffer)
    return this.#target.subarray(0, this.#end)
  }

  /** Nobody reads what `translate()` returned any more. */
  done(): void {
    const buffer = this.#target
    this.#target = Buffer.alloc(0)
    if (buffer.length > 0 && buffer.length <= REUSED_BYTES && spares.length < REUSED_BUFFERS)
      spares.push(buffer)
  }

  #add(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      const place = this.#place
      if (place.kind === 'payload') {
        const length = Math.min(place.missing, bytes.length - at)
        this.#reserve(length + this.#encoder.overhead)
        bytes.copy(this.#target, this.#end, at, at + length)
        this.#end += length
        at += length
        if (length === place.missing) this.#finishFrame()
        else this.#place = { kind: 'payload', missing: place.missing - length }
        continue
      }
      if (place.have === 0 && bytes.length - at >= FRAME_HEADER_BYTES) {
        this.#beginFrame(bytes.readUInt32LE(at))
        at += FRAME_HEADER_BYTES
        continue
      }
      const value = place.value + (bytes[at] ?? 0) * 256 ** place.have
      at++
      if (place.have + 1 === FRAME_HEADER_BYTES) this.#beginFrame(value)
      else this.#place = { kind: 'header', have: place.have + 1, value }
    }
  }

  #beginFrame(length: number): void {
    this.#reserve(2 * this.#encoder.overhead)
    this.#end = this.#encoder.prefix(length, this.#target, this.#end)
    if (length === 0) this.#finishFrame()
    else this.#place = { kind: 'payload', missing: length }
  }

  #finishFrame(): void {
    this.#end = this.#encoder.suffix(this.#target, this.#end)
    this.#place = BOUNDARY
  }

  #reserve(bytes: number): void {
    const wanted = this.#end + bytes
    if (wanted <= this.#target.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#target.length * 2))
    this.#target.copy(grown, 0, 0, this.#end)
    this.#target = grown
  }
}
