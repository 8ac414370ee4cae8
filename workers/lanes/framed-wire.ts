/**
 * Speaks the format of the rings to the pump, as its wire, and another framing to the peer's wire, as its owner.
 *
 * In: the kernel reads into memory that all framed wires of the thread share. What is decoded is copied into the pump's
 * view. What does not fit waits, and nothing is read meanwhile; the peer's end, a fault in its framing, and the close
 * wait behind it. Out: each write of the pump becomes one write of the wire.
 */
import { memoryFailure } from '../../engine/protocol/allocation.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { FrameDeadline } from '../../engine/protocol/frame-deadline.js'
import { FramingFault, type FramingSpec } from '../../engine/protocol/framing.js'
import { codecFor } from '../framings/codec-registry.js'
import type { FrameOwner, LaneEnd, Wire } from '../wire.js'
import type { Codec, Decoder } from '../framings/codec.js'
import { Decoded, readBytes, readMemory } from '../framings/decoded.js'
import { Translation } from '../framings/encoded.js'

/** What comes behind the frames that were decoded. */
type Behind =
  | { readonly kind: 'more' }
  | { readonly kind: 'end' }
  | { readonly kind: 'fault'; readonly fault: FramingFault }
  /** The owner knows, or does not want to know any more. */
  | { readonly kind: 'nothing' }

type Peer =
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly wire: Wire }
  /** The wire was destroyed and has not closed yet. Its other calls are ignored. */
  | { readonly kind: 'leaving' }
  /** The wire has closed and the owner does not know yet. */
  | { readonly kind: 'closed'; readonly error: NodeJS.ErrnoException | undefined }
  | { readonly kind: 'gone' }

/** The end of a lane that speaks this framing to the peer: `owner` itself where nothing is to be translated. */
export function laneEnd(owner: FrameOwner, framing: FramingSpec): LaneEnd {
  const codec = codecFor(framing)
  return codec === undefined ? owner : new FramedWire(owner, codec, framing.frameTimeoutMs, systemClock)
}

export class FramedWire implements Wire, LaneEnd {
  readonly #owner: FrameOwner
  readonly #decoder: Decoder
  readonly #translation: Translation
  readonly #decoded = new Decoded()
  #peer: Peer = { kind: 'none' }
  #behind: Behind = { kind: 'more' }
  #fault: FramingFault | undefined
  /** The owner knows that the decoder holds bytes back. */
  #isHeld = false
  /** The owner has no room, or has not begun to read. */
  #paused = true
  /** Of the frame that the decoder holds back. */
  readonly #deadline: FrameDeadline | undefined

  constructor(owner: FrameOwner, codec: Codec, frameTimeoutMs: number | undefined, clock: Clock) {
    this.#owner = owner
    this.#decoder = codec.decoder
    this.#translation = new Translation(codec.encoder)
    if (frameTimeoutMs === undefined) return
    this.#deadline = new FrameDeadline(frameTimeoutMs, clock, () => {
      this.#behind = { kind: 'fault', fault: new FramingFault('ERR_FRAME_TIMEOUT') }
      this.#handOn()
    })
  }

  attach(wire: Wire): void {
    if (this.#peer.kind === 'none') this.#peer = { kind: 'open', wire }
    this.#owner.attach(this)
  }

  // The wire, to the pump.

  resume(): void {
    this.#paused = false
    if (this.#deadline !== undefined) this.#boundFrame(this.#deadline)
    if (this.#handOn() && this.#peer.kind === 'open' && this.#behind.kind === 'more') this.#peer.wire.resume()
  }

  /** The translation would have to keep what is not taken, and a try that is reported later saves nothing. */
  tryWrite(): number {
    return 0
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    if (this.#peer.kind !== 'open') return
    const { wire } = this.#peer
    if (this.#translation.passes(first.length + (second?.length ?? 0))) {
      wire.write(first, second)
      return
    }
    let bytes: Buffer
    try {
      bytes = this.#translation.translate(first, second)
    } catch (error) {
      this.#endWith(faultOf(error))
      return
    }
    if (bytes.length > 0) wire.write(bytes, undefined)
    // Part of a header and nothing else: the peer gets nothing yet. Not from inside write().
    else queueMicrotask(() => this.onWritten())
  }

  end(): void {
    if (this.#peer.kind === 'open') this.#peer.wire.end()
    // Nothing leaves any more, and the close waits for what was read: `end()` of a connection must not wait for that.
    else this.#owner.onFinished()
  }

  destroy(): void {
    this.#decoded.clear()
    this.#behind = { kind: 'nothing' }
    if (this.#peer.kind === 'open') this.#destroyWire(this.#peer.wire)
    else queueMicrotask(() => this.#tellClose())
  }

  // The owner, to the wire.

  readView(): Buffer {
    return readMemory
  }

  onRead(length: number): boolean {
    if (this.#behind.kind !== 'more') return false
    try {
      this.#decoder.push(readBytes(length), this.#decoded)
    } catch (error) {
      this.#behind = { kind: 'fault', fault: faultOf(error) }
    }
    this.#tellHeld()
    // What is handed on now ended the frame that was waited for.
    if (!this.#decoded.isEmpty()) this.#deadline?.end()
    const wantsMore = this.#handOn() && this.#behind.kind === 'more'
    if (this.#deadline !== undefined) this.#boundFrame(this.#deadline)
    return wantsMore
  }

  onEnd(): void {
    if (this.#behind.kind !== 'more') return
    try {
      this.#decoder.end(this.#decoded)
      this.#behind = { kind: 'end' }
    } catch (error) {
      this.#behind = { kind: 'fault', fault: faultOf(error) }
    }
    this.#handOn()
  }

  onWritten(): void {
    this.#translation.done()
    if (this.#peer.kind === 'open') this.#owner.onWritten()
  }

  onFinished(): void {
    if (this.#peer.kind === 'open') this.#owner.onFinished()
  }

  onWriteFailed(): void {
    this.#owner.onWriteFailed()
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    if (this.#peer.kind === 'gone') return
    this.#deadline?.end()
    this.#peer = { kind: 'closed', error }
    // What was received before is the owner's, however the wire ended.
    if (this.#decoded.isEmpty()) this.#tellClose()
  }

  #tellHeld(): void {
    const isHeld = this.#decoder.holdsBack
    if (isHeld === this.#isHeld) return
    this.#isHeld = isHeld
    this.#owner.onHeldBack(isHeld)
  }

  /** The deadline runs while more can come: a peer whose frames are not taken may be unable to go on. */
  #boundFrame(deadline: FrameDeadline): void {
    if (this.#paused || this.#behind.kind !== 'more' || !this.#decoder.holdsBack) deadline.end()
    else deadline.start()
  }

  /** Gives the owner what it takes, and what comes behind it once it has taken all. True: it wants more. */
  #handOn(): boolean {
    while (!this.#paused && !this.#decoded.isEmpty()) {
      const length = this.#decoded.moveTo(this.#owner.readView())
      this.#paused = !this.#owner.onRead(length)
    }
    // What comes behind needs no room.
    if (this.#decoded.isEmpty()) this.#tellBehind()
    else this.#settle()
    return !this.#paused
  }

  #settle(): void {
    try {
      this.#decoded.settle()
    } catch (error) {
      this.#endWith(faultOf(error))
    }
  }

  /** At once: what was decoded and not taken goes with it. */
  #endWith(fault: FramingFault): void {
    this.#decoded.clear()
    this.#behind = { kind: 'fault', fault }
    this.#tellBehind()
  }

  #tellBehind(): void {
    const behind = this.#behind
    if (behind.kind === 'end') {
      this.#behind = { kind: 'nothing' }
      this.#owner.onEnd()
    } else if (behind.kind === 'fault') {
      this.#behind = { kind: 'nothing' }
      this.#fault = behind.fault
      if (this.#peer.kind === 'open') this.#destroyWire(this.#peer.wire)
    }
    if (this.#peer.kind === 'closed') this.#tellClose()
  }

  #destroyWire(wire: Wire): void {
    this.#peer = { kind: 'leaving' }
    wire.destroy()
  }

  #tellClose(): void {
    if (this.#peer.kind !== 'closed') return
    const { error } = this.#peer
    this.#peer = { kind: 'gone' }
    this.#owner.onClose(this.#fault ?? error)
  }
}

/** What ends the connection. Anything else that was thrown is a mistake of ours, and thrown on. */
function faultOf(error: unknown): FramingFault {
  if (error instanceof FramingFault) return error
  if (memoryFailure(error) === undefined) throw error
  return new FramingFault('ERR_OUT_OF_MEMORY')
}
