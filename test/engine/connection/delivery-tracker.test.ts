/** What becomes of each frame, told from HEAD and SENT wherever a shard left them. */
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { InlineBudget } from '../../../engine/connection/inline-budget.js'
import type { LaneHost } from '../../../engine/connection/lane-host.js'
import { Lane } from '../../../engine/connection/connection-lane.js'
import type { ConnectionSettings } from '../../../engine/connection/connection-settings.js'
import { Sender } from '../../../engine/connection/sender.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { DeliveryReport } from '../../../engine/common/delivery-report.js'
import type { FramingKind } from '../../../engine/protocol/framing.js'
import { regionOffset } from '../../../engine/protocol/slab-table.js'
import { lane, outWords, regionBytes, regionSizeFor, sizeOfRegion } from '../../../engine/protocol/ring-layout.js'
import { RingConsumer } from '../../../engine/protocol/ring.js'
import { Ledger } from '../../../engine/common/ledger.js'
import { HandlerFailures } from '../../../engine/common/handler-failures.js'
import { systemClock } from '../../../engine/protocol/clock.js'
import { byLength } from '../../helpers/length.js'
import { patternBytes } from '../../helpers/random.js'
import { specOf } from '../../helpers/wire-bytes.js'
import { createLanes, createRegions } from '../../helpers/fresh-memory.js'

const nothing = (): void => undefined

interface RigOptions {
  readonly framing?: FramingKind
  readonly retainBytes?: number
  /** Where positions begin. */
  readonly start?: number
  /** Whether there is a larger region: if false, no ring grows. */
  readonly grows?: boolean
}

/** The sending half over memory of its own, and a shard that works one step at a time. */
class Rig {
  readonly outgoing: Sender
  readonly sent: Buffer[] = []
  readonly #words: Int32Array
  readonly #base: number
  readonly #shard: RingConsumer
  #writing = 0
  /** What has reached the peer, from the shard and from main. */
  readonly #wire: Buffer[] = []
  /** How much of each write main's duplicate takes. */
  #mostInline = 0
  #inlineBytes = 0

  constructor({ framing = 'length', retainBytes = 0, start = 0, grows = true }: RigOptions = {}) {
    const regions = createRegions({ addSlab: () => Promise.resolve(), removeSlab: nothing })
    const lanes = createLanes(regions)
    const grant = lanes.take(4096)
    this.#words = lanes.table.wordsOf(grant.id)
    this.#base = lanes.table.baseOf(grant.id)
    for (const word of [lane.OUT_TAIL, lane.OUT_HEAD, lane.OUT_SENT]) this.#store(word, start)
    const host: LaneHost = {
      shard: 0,
      slabs: regions.table,
      wordsOf: () => this.#words,
      baseOf: () => this.#base,
      notify: nothing,
      doorbell: { flushSoon: nothing, awaitReply: nothing, replied: nothing, revisit: nothing },
      takeRegion: (bytes) => (grows ? regions.take(regionSizeFor(bytes)) : undefined),
      giveRegion: (id) => {
        // The next owner overwrites its bytes.
        const start = regionOffset(id)
        regions.table.slabOf(id).bytes.fill(0xee, start, start + sizeOfRegion(id))
        regions.give(id)
      },
      releaseLane: nothing,
      turned: () => Promise.resolve(),
      keepAlive: nothing,
      idPrefix: '',
      fetches: undefined,
      onTaken: undefined,
      inline: {
        budget: new InlineBudget(new Ledger()),
        isShardAsleep: () => true,
        duplicate: () =>
          Promise.resolve({
            write: (bytes: Uint8Array, offset: number, length: number) => {
              const taken = Math.min(this.#mostInline, length)
              this.#wire.push(Buffer.from(bytes.subarray(offset, offset + taken)))
              this.#inlineBytes += taken
              return taken
            },
            read: nothing,
            pause: nothing,
            readNow: () => -1,
            close: nothing,
          }),
        wrote: nothing,
        didRead: nothing,
        visit: nothing,
      },
    }
    const options: ConnectionSettings = {
      engine: '0',
      framing: specOf(framing, { maxFrameBytes: 1_000_000 }),
      maxFrameBytes: 1_000_000,
      maxPendingBytes: 100_000_000,
      maxRingBytes: regionBytes[3],
      frameTimeoutMs: undefined,
      closeTimeoutMs: 0,
      allowHalfOpen: false,
      inlineWrites: 'auto',
      inlineWriteBytes: 4096,
      failures: new HandlerFailures(systemClock, undefined),
      onOutlived: nothing,
      clock: systemClock,
      tracking: { retainBytes },
    }
    this.outgoing = new Sender(
      new Lane(host, grant, options, {
        kind: 'memory',
        endpoint: 'memory:x',
        role: 'dialled',
        halfClose: true,
        hasDescriptor: true,
      }),
    )
    this.#shard = new RingConsumer(this.#words, this.#base, outWords, regions.table)
  }

  send(length: number): void {
    const frame = patternBytes(length, this.sent.length)
    this.sent.push(frame)
    this.outgoing.send(frame)
  }

  sendBatch(lengths: readonly number[]): void {
    const frames = lengths.map((length, i) => patternBytes(length, this.sent.length + i))
    this.sent.push(...frames)
    this.outgoing.sendBatch(frames)
  }

  flush(): void {
    this.outgoing.flush(true)
    this.outgoing.onNotify()
  }

  /** The turn ends, and main may write so much itself. */
  flushInline(most: number): void {
    this.#mostInline = most
    this.flush()
    this.#mostInline = 0
  }

  /** Makes so few round trips that main has its duplicate after it. */
  async getDuplicate(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      this.send(10)
      this.flush()
      this.write(14)
      this.written()
    }
    await Promise.resolve()
  }

  /** Begins to write what is published, at most so much. */
  write(most: number): void {
    if (this.#writing > 0) return
    const readable = this.#shard.refresh()
    this.#writing = Math.min(most, readable)
    this.#store(lane.OUT_SENT, (this.#shard.head + this.#writing) | 0)
  }

  /** The write reports back. */
  written(): void {
    const bytes = Buffer.alloc(this.#writing)
    this.#shard.read(bytes, 0, this.#writing)
    this.#wire.push(bytes)
    this.#shard.consume(this.#writing)
    this.#writing = 0
    this.#shard.release()
    // As a shard does before it sleeps: it follows a region change that it has reached.
    this.#shard.refresh()
  }

  /** Bytes that were handed over, and that may have been, since the beginning. Main's own are in no position. */
  progress(start: number): { readonly head: number; readonly sent: number } {
    const head = ((this.#load(lane.OUT_HEAD) - start) | 0) + this.#inlineBytes
    return { head, sent: Math.max(head, ((this.#load(lane.OUT_SENT) - start) | 0) + this.#inlineBytes) }
  }

  get wire(): Buffer {
    return Buffer.concat(this.#wire)
  }

  /** The shard is gone. */
  settle(): DeliveryReport {
    this.outgoing.close(new TransportError('ERR_SHARD_LOST', 'gone'))
    const report = this.outgoing.out.settle()
    if (report === undefined) throw new Error('a connection with tracking has a report')
    this.outgoing.out.release()
    return report
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, this.#base + word, value)
  }
}

function isEqual(t: ExecutionContext, found: readonly Buffer[], expected: readonly Buffer[]): void {
  t.deepEqual(
    found.map((frame) => frame.toString('hex')),
    expected.map((frame) => frame.toString('hex')),
  )
}

test('frames that were never published are unsent', (t) => {
  const rig = new Rig()
  for (const length of [0, 10, 5000, 100]) rig.send(length)
  const report = rig.settle()
  t.is(report.handedOver, 0)
  isEqual(t, report.unconfirmed, [])
  isEqual(t, report.unsent, rig.sent)
})

test('what ends at HEAD was handed over, what starts at SENT is unsent, what lies between is unconfirmed', (t) => {
  const rig = new Rig()
  for (let i = 0; i < 6; i++) rig.send(96)
  rig.flush()
  rig.write(200)
  rig.written()
  rig.write(200)
  const report = rig.settle()
  t.is(report.handedOver, 2)
  isEqual(t, report.unconfirmed, rig.sent.slice(2, 4))
  isEqual(t, report.unsent, rig.sent.slice(4))
})

for (const framing of ['length', 'length-be', 'content-length'] as const) {
  test(`${framing}: a frame of which a part was written never arrived, and is unsent`, (t) => {
    const rig = new Rig({ framing })
    for (let i = 0; i < 3; i++) rig.send(96)
    rig.flush()
    rig.write(150)
    rig.written()
    rig.write(49)
    const report = rig.settle()
    t.is(report.handedOver, 1)
    isEqual(t, report.unconfirmed, [])
    isEqual(t, report.unsent, rig.sent.slice(1))
  })
}

for (const framing of ['line', 'nul', 'raw'] as const) {
  test(`${framing}: a frame of which a part was written is unconfirmed: a part can be acted on`, (t) => {
    const rig = new Rig({ framing })
    const frames = ['one', 'two', 'three', 'four'].map((text) => Buffer.from(text))
    for (const frame of frames) rig.outgoing.send(frame)
    rig.flush()
    rig.write(16)
    rig.written()
    const report = rig.settle()
    t.is(report.handedOver, 2)
    isEqual(t, report.unconfirmed, frames.slice(2, 3))
    isEqual(t, report.unsent, frames.slice(3))
  })
}

test('the beginning of a frame that the ring has overwritten is still there', (t) => {
  const rig = new Rig({ grows: false })
  rig.send(20_000)
  for (let i = 0; i < 3; i++) {
    rig.flush()
    rig.write(4096)
    rig.written()
  }
  rig.send(50)
  rig.flush()
  const report = rig.settle()
  t.is(report.handedOver, 0)
  isEqual(t, report.unsent, rig.sent)
})

test('the beginning of a frame that lies in a region given away is still there', (t) => {
  const rig = new Rig()
  rig.send(2000)
  rig.send(60_000)
  rig.flush()
  // Up to where the ring has moved on to a larger region, and a little into that.
  for (let i = 0; i < 4; i++) {
    rig.write(3000)
    rig.written()
    rig.flush()
  }
  const report = rig.settle()
  t.is(report.handedOver, 1)
  isEqual(t, report.unsent, rig.sent.slice(1))
})

test('the last bytes that were handed over are retained in whole frames', (t) => {
  const rig = new Rig({ retainBytes: 250 })
  for (let i = 0; i < 40; i++) {
    rig.send(100)
    rig.flush()
    rig.write(4096)
    rig.written()
  }
  rig.send(100)
  const report = rig.settle()
  t.is(report.handedOver, 40)
  isEqual(t, report.retained, rig.sent.slice(38, 40))
  isEqual(t, report.unsent, rig.sent.slice(40))
})

test('a frame larger than what is retained leaves nothing to retain before it', (t) => {
  const rig = new Rig({ retainBytes: 250 })
  for (const length of [10, 10, 300]) rig.send(length)
  rig.flush()
  rig.write(4096)
  rig.written()
  isEqual(t, rig.settle().retained, [])
})

test('what main has written itself was handed over, and the rest of a frame follows by way of the shard', async (t) => {
  const rig = new Rig()
  await rig.getDuplicate()
  for (const length of [100, 100, 100]) rig.send(length)
  rig.flushInline(150)
  rig.write(4096)
  rig.written()
  rig.send(100)
  rig.flushInline(4096)
  rig.send(100)
  t.deepEqual(rig.wire, framed(rig.sent.slice(0, 8)))
  const report = rig.settle()
  t.is(report.handedOver, 8)
  isEqual(t, report.unsent, rig.sent.slice(8))
})

test('main writes nothing while something before it waits', async (t) => {
  const rig = new Rig()
  await rig.getDuplicate()
  rig.send(100)
  rig.flushInline(0)
  rig.send(100)
  rig.flushInline(4096)
  const before = rig.wire.length
  rig.write(150)
  rig.written()
  rig.send(100)
  rig.flushInline(4096)
  t.is(rig.wire.length, before + 150)
  rig.write(4096)
  rig.written()
  rig.send(100)
  rig.flushInline(4096)
  t.deepEqual(rig.wire, framed(rig.sent))
})

test('main writes nothing while what it has sent lies in two regions', async (t) => {
  const rig = new Rig()
  await rig.getDuplicate()
  rig.send(996)
  rig.flushInline(0)
  rig.send(50)
  // There is no room for this one in the region.
  rig.send(3_200)
  rig.write(1_000)
  rig.written()
  const before = rig.wire.length
  rig.flushInline(4_096)
  t.is(rig.wire.length, before)
  rig.write(4_096)
  rig.written()
  rig.write(4_096)
  rig.written()
  t.deepEqual(rig.wire, framed(rig.sent))
})

function framed(frames: readonly Buffer[]): Buffer {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const header = Buffer.alloc(4)
      header.writeUInt32LE(frame.length)
      return [header, frame]
    }),
  )
}

type Step = readonly ['send' | 'batch' | 'write' | 'inline', number] | readonly ['flush' | 'written', 0]

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constant('send' as const), fc.oneof(fc.nat(300), fc.nat(9000))) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('send' as const), fc.nat(100_000)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('batch' as const), fc.nat(10_000)) },
    { weight: 5, arbitrary: fc.tuple(fc.constant('write' as const), fc.integer({ min: 1, max: 20_000 })) },
    { weight: 5, arbitrary: fc.constant(['written', 0] as const) },
    { weight: 5, arbitrary: fc.constant(['flush', 0] as const) },
    { weight: 5, arbitrary: fc.tuple(fc.constant('inline' as const), fc.oneof(fc.nat(300), fc.constant(9000))) },
  ),
  { maxLength: 120 },
)

/** From one frame to forty, mostly small ones, and none without bytes. */
function batchLengths(seed: number): number[] {
  const longest = seed % 5 === 0 ? 6000 : 150
  return Array.from({ length: 1 + (seed % 40) }, (_, i) => 1 + ((seed * (i + 1) * 37) % longest))
}

test('whatever the shard did and wherever it stopped, every frame is accounted for once, in order, byte by byte', async (t) => {
  t.timeout(60_000)
  const framings = fc.constantFrom<FramingKind>('length', 'raw')
  const starts = fc.constantFrom(0, -5_000, 2 ** 31 - 5_000, 2 ** 31 - 60_000)
  const property = fc.asyncProperty(
    steps,
    framings,
    starts,
    fc.nat(5000),
    fc.boolean(),
    async (actions: readonly Step[], framing, start, retainBytes, grows) => {
      const rig = new Rig({ framing, start, retainBytes, grows })
      await rig.getDuplicate()
      for (const [action, amount] of actions) {
        // Raw bytes have no empty frames.
        if (action === 'send') rig.send(amount + (framing === 'raw' ? 1 : 0))
        else if (action === 'batch') rig.sendBatch(batchLengths(amount))
        else if (action === 'write') rig.write(amount)
        else if (action === 'inline') rig.flushInline(amount)
        else if (action === 'written') rig.written()
        else rig.flush()
      }
      const { head, sent } = rig.progress(start)
      if (!rig.wire.equals(framed(rig.sent).subarray(0, head))) return false
      const report = rig.settle()
      const expected = { handedOver: [] as Buffer[], unconfirmed: [] as Buffer[], unsent: [] as Buffer[] }
      let at = 0
      for (const frame of rig.sent) {
        const end = at + frame.length + 4
        if (end <= head) expected.handedOver.push(frame)
        else if (at >= sent || (end > sent && framing === 'length')) expected.unsent.push(frame)
        else expected.unconfirmed.push(frame)
        at = end
      }
      const kept: Buffer[] = []
      let keptBytes = 0
      for (const frame of expected.handedOver.toReversed()) {
        keptBytes += frame.length + 4
        if (keptBytes > retainBytes) break
        kept.unshift(frame)
      }
      const same = (found: readonly Buffer[], wanted: readonly Buffer[]): boolean =>
        found.length === wanted.length && found.every((frame, i) => frame.equals(wanted[i] ?? Buffer.alloc(0)))
      return (
        report.handedOver === expected.handedOver.length &&
        same(report.unconfirmed, expected.unconfirmed) &&
        same(report.unsent, expected.unsent) &&
        same(report.retained, kept)
      )
    },
  )
  await fc.assert(property, { numRuns: byLength({ short: 150, long: 600 }), includeErrorInReport: true })
  t.pass()
})
