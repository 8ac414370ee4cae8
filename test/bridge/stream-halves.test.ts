/** Both halves of one direction, over a channel that loses and repeats what it likes: no NATS, no time. */
import test from 'ava'
import fc from 'fast-check'
import {
  decodePacket,
  encodeReset,
  encodeState,
  encodeTerms,
  startPacket,
  type Sequenced,
} from '../../api/bridge-nats/packet.js'
import { ReceiveHalf } from '../../api/bridge-nats/receive-half.js'
import { SendHalf } from '../../api/bridge-nats/send-half.js'
import { countAllocations } from '../helpers/count-allocations.js'
import { holds } from '../helpers/property.js'

const TERMS = { windowBytes: 300, windowFrames: 8, maxFrameBytes: 500 }
const WINDOW = { ...TERMS, packetBytes: 96 }

/** One direction and what a test knows of it. */
class Direction {
  readonly send = new SendHalf(WINDOW)
  readonly receive = new ReceiveHalf(TERMS)
  readonly taken: Buffer[] = []
  readonly arrived: Buffer[] = []
  handedOver = 0
  #channel: Buffer[] = []

  take(length: number): void {
    if (!this.send.hasRoom) return
    const frame = Buffer.alloc(length, this.taken.length + 1)
    this.taken.push(frame)
    this.send.take(frame)
  }

  publish(count: number): void {
    this.send.seal()
    for (let i = 0; i < count; i++) {
      const packet = this.send.next()
      if (packet === undefined) return
      this.#channel.push(Buffer.from(packet))
    }
  }

  lose(): void {
    this.#channel = []
  }

  repeat(): void {
    const [first] = this.#channel
    if (first !== undefined) this.#channel.unshift(first)
  }

  deliver(count: number): void {
    for (const packet of this.#channel.splice(0, count)) {
      const taken = this.receive.take(decodePacket(packet) as Sequenced)
      if (taken.kind === 'frames') this.arrived.push(...taken.frames.map((frame) => Buffer.from(frame)))
    }
  }

  /** The local side takes so many frames, and the sender hears of it. */
  handOver(count: number): void {
    this.handedOver = Math.min(this.arrived.length, this.handedOver + count)
    const bytes = this.arrived.slice(0, this.handedOver).reduce((sum, frame) => sum + frame.length, 0)
    this.receive.onHandedOver(bytes, this.handedOver === this.arrived.length)
    this.send.onHandedOver(this.receive.handedOver)
  }

  resync(): void {
    this.lose()
    if (this.receive.misses(this.send.published)) this.send.resendFrom(this.receive.received)
    this.receive.forgetAsking()
  }
}

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('take' as const), by: fc.nat(500) }),
    fc.record({ kind: fc.constantFrom('publish' as const, 'deliver' as const, 'handOver' as const), by: fc.nat(6) }),
    fc.record({ kind: fc.constantFrom('lose' as const, 'repeat' as const, 'resync' as const), by: fc.constant(1) }),
  ),
  { maxLength: 120 },
)

test('whatever is lost or repeated on the way, each frame arrives once, in order, within the window', (t) => {
  holds(
    t,
    fc.property(steps, (list) => {
      const way = new Direction()
      for (const { kind, by } of list) {
        way[kind](by)
        const { handedOver, unconfirmed, unsent } = way.send.fates
        if (handedOver + unconfirmed + unsent !== way.taken.length) throw new Error('the fates do not add up')
        // What was handed over has arrived; what was never published has not.
        if (handedOver > way.handedOver) throw new Error('more was confirmed than handed over')
        if (way.arrived.length > handedOver + unconfirmed) throw new Error('what is unsent has arrived')
        if (way.send.bytesKept >= TERMS.windowBytes + 500) throw new Error('more is kept than the window')
        if (way.receive.bytesWaiting > TERMS.windowBytes + 500) throw new Error('more waits than the window')
      }
      way.send.end('OK')
      for (let rounds = 0; !way.send.isDone; rounds++) {
        if (rounds > 10) throw new Error('it does not come to an end')
        way.resync()
        way.publish(Infinity)
        way.deliver(Infinity)
        way.handOver(Infinity)
        if (way.receive.isEnded) way.receive.onEndHandedOver()
        way.send.onHandedOver(way.receive.handedOver)
      }
      if (!Buffer.concat(way.arrived).equals(Buffer.concat(way.taken))) throw new Error('frames differ')
      if (way.arrived.length !== way.taken.length) throw new Error('a frame is missing, or came twice')
    }),
    400,
  )
})

test('packets come out as they went in', (t) => {
  const terms = { windowBytes: 1, windowFrames: 2, maxFrameBytes: 3 }
  t.deepEqual(decodePacket(encodeTerms('open', terms)), { kind: 'open', terms })
  t.deepEqual(decodePacket(encodeReset('ERR_RESET')), { kind: 'reset', code: 'ERR_RESET' })
  const state = { asks: true, misses: false, sent: 2 ** 40, received: 7, handedOver: 6 }
  t.deepEqual(decodePacket(encodeState(state)), { kind: 'state', ...state })
  t.deepEqual(decodePacket(Buffer.from('\x05ERR_OF_A_NEWER_ONE')), { kind: 'reset', code: 'ERR_IO' })
})

test('whatever bytes come, they are a packet or ERR_FRAMING', (t) => {
  holds(
    t,
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 8 }), (bytes, kind) => {
      try {
        decodePacket(Buffer.concat([Buffer.of(kind), bytes]))
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ERR_FRAMING') throw error
      }
    }),
    1_000,
  )
})

test('a bridge that sends more than the window, or accounts for what was never sent, is refused', (t) => {
  const receive = new ReceiveHalf(TERMS)
  const take = (seq: number, frames: readonly Buffer[]): unknown =>
    receive.take({ kind: 'frames', seq, handedOver: 0, frames })
  take(1, [Buffer.alloc(400)])
  t.throws(() => take(2, [Buffer.alloc(401)]), { code: 'ERR_FRAMING' })
  t.throws(() => decodePacket(startPacket('frames', 2, 0)), { code: 'ERR_FRAMING' })
  t.throws(() => take(2, Array<Buffer>(8).fill(Buffer.alloc(0))), { code: 'ERR_FRAMING' })
  t.throws(() => receive.take({ kind: 'part', seq: 2, handedOver: 0, total: 501, offset: 0, bytes: Buffer.alloc(1) }), {
    code: 'ERR_FRAMING',
  })
  const send = new SendHalf(WINDOW)
  send.take(Buffer.alloc(1))
  t.throws(() => send.onHandedOver(1), { code: 'ERR_FRAMING' })
  t.throws(() => send.resendFrom(1), { code: 'ERR_FRAMING' })
})

test('a frame without bytes is not handed over before all that was given is', (t) => {
  const receive = new ReceiveHalf(TERMS)
  receive.take({ kind: 'frames', seq: 1, handedOver: 0, frames: [Buffer.alloc(5)] })
  receive.take({ kind: 'frames', seq: 2, handedOver: 0, frames: [Buffer.alloc(0)] })
  receive.onHandedOver(5, false)
  t.deepEqual([receive.handedOver, receive.framesHandedOver], [1, 1])
  receive.onHandedOver(5, true)
  t.deepEqual([receive.handedOver, receive.framesHandedOver], [2, 2])
})

test.serial('of a frame that comes in parts, bytes that are only announced take no memory', (t) => {
  const total = 16 * 1_048_576
  const sent = Buffer.alloc(total, 'a frame that is long')
  const receive = new ReceiveHalf({ windowBytes: total, windowFrames: 8, maxFrameBytes: total })
  let seq = 0
  let offset = 0
  let moved = 0
  const take = (length: number): readonly Buffer[] => {
    const bytes = sent.subarray(offset, offset + length)
    const part = { kind: 'part', seq: ++seq, handedOver: 0, total, offset, bytes } as const
    let frames: readonly Buffer[] = []
    const sizes = countAllocations(() => {
      const taken = receive.take(part)
      if (taken.kind === 'frames') frames = taken.frames
    })
    if (sizes.length > 0) moved += offset
    offset += length
    for (const size of sizes) t.true(size <= 32 * offset, `${String(size)} bytes for ${String(offset)}`)
    return frames
  }
  for (const length of [1, 30, 1, 1, 900, 70_000]) t.deepEqual(take(length), [])
  let last: readonly Buffer[] = []
  while (offset < total) last = take(Math.min(65_536, total - offset))
  t.deepEqual(
    last.map((frame) => frame.equals(sent)),
    [true],
  )
  t.true(moved <= total / 16, `${String(moved)} bytes were moved`)
})
