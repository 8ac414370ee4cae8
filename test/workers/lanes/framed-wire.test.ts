/** The wire between a pump and the peer's framing; a fake pump and a fake wire do anything the real ones may do. */
import test from 'ava'
import fc from 'fast-check'
import { FramingFault, type FramingKind, type FramingSpec } from '../../../engine/protocol/framing.js'
import type { FrameOwner, Wire, WireOwner } from '../../../workers/wire.js'
import { systemClock, type Clock } from '../../../engine/protocol/clock.js'
import { FramedWire } from '../../../workers/lanes/framed-wire.js'
import { codecFor } from '../../../workers/framings/codec-registry.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { encodeFrame } from '../../helpers/lane-fixture.js'
import { patternBytes } from '../../helpers/random.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'
import { failOnWarnings } from '../../helpers/warnings.js'
import { carriable, onWire, specOf } from '../../helpers/wire-bytes.js'

failOnWarnings()

const WATCHDOG_MS = 20_000

test.beforeEach((t) => {
  t.timeout(WATCHDOG_MS)
})

/**
 * Stands in for a pump: it reads into a small view, returns false when it has had enough, and records all calls.
 */
class FakePump implements FrameOwner {
  readonly calls: string[] = []
  readonly #received: Buffer[] = []
  isHeld = false
  /** At each read: whether bytes were held back. */
  readonly heldAtReads: boolean[] = []
  #view = Buffer.from(new SharedArrayBuffer(64))
  paused = true
  closed: { readonly error: NodeJS.ErrnoException | FramingFault | undefined } | undefined
  #allowance = 0

  get received(): Buffer {
    return Buffer.concat(this.#received)
  }

  /** Accepts this many reads before it returns false. */
  allow(reads: number, viewBytes: number): void {
    this.#allowance = reads
    this.#view = Buffer.from(new SharedArrayBuffer(viewBytes))
    this.paused = reads === 0
  }

  attach(): void {
    // The test resumes what it is given.
  }

  readView(): Buffer {
    return this.#view
  }

  onRead(length: number): boolean {
    if (this.closed !== undefined) throw new Error('a read after the close')
    if (this.paused) throw new Error('a read while it is paused')
    if (this.calls.includes('end')) throw new Error('a read after the end')
    if (length < 1 || length > this.#view.length) throw new Error(`a read of ${String(length)} bytes`)
    this.heldAtReads.push(this.isHeld)
    this.#received.push(Buffer.from(this.#view.subarray(0, length)))
    this.#view.fill(0xcc)
    this.#allowance--
    this.paused = this.#allowance <= 0
    return !this.paused
  }

  onHeldBack(isHeld: boolean): void {
    if (isHeld === this.isHeld) throw new Error('told twice')
    this.isHeld = isHeld
  }

  onEnd(): void {
    this.#call('end')
  }

  onWriteFailed(): void {
    this.#call('write failed')
  }

  onWritten(): void {
    this.#call('written')
  }

  onFinished(): void {
    this.#call('finished')
  }

  onClose(error: NodeJS.ErrnoException | FramingFault | undefined): void {
    this.#call('close')
    this.closed = { error }
  }

  #call(name: string): void {
    if (this.closed !== undefined) throw new Error(`${name} after the close`)
    this.calls.push(name)
  }
}

/** Stands in for a transport's wire: delivers what the test wants, and closes soon after it was destroyed. */
class FakeWire implements Wire {
  readonly written: Buffer[] = []
  owner: WireOwner | undefined
  reading = false
  destroyed = false
  closed = false
  ended = false
  #inFlight: readonly Uint8Array[] | undefined

  resume(): void {
    if (this.destroyed) throw new Error('resume() after destroy()')
    this.reading = true
  }

  tryWrite(): number {
    throw new Error('a translated write is not tried')
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    if (this.destroyed) throw new Error('write() after destroy()')
    if (this.#inFlight !== undefined) throw new Error('two writes at once')
    this.#inFlight = second === undefined ? [first] : [first, second]
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    if (this.destroyed) throw new Error('destroy() twice')
    this.destroyed = true
    this.reading = false
  }

  /** The system has taken what was written. */
  finishWrite(): void {
    if (this.#inFlight === undefined || this.destroyed || this.closed) return
    this.written.push(...this.#inFlight.map((bytes) => Buffer.from(bytes)))
    this.#inFlight = undefined
    this.owner?.onWritten()
  }

  read(bytes: Uint8Array): void {
    const view = this.owner?.readView()
    if (view === undefined) return
    view.set(bytes)
    this.reading = this.owner?.onRead(bytes.length) === true && !this.destroyed
  }

  close(error?: NodeJS.ErrnoException): void {
    if (this.closed) return
    this.closed = true
    this.reading = false
    this.owner?.onClose(error)
  }
}

interface Setup {
  readonly pump: FakePump
  readonly wire: FakeWire
  readonly framed: FramedWire
}

function setup(spec: FramingSpec, clock: Clock = systemClock): Setup {
  const codec = codecFor(spec)
  if (codec === undefined) throw new Error(`${spec.kind} is not translated`)
  const pump = new FakePump()
  const wire = new FakeWire()
  const framed = new FramedWire(pump, codec, spec.frameTimeoutMs, clock)
  wire.owner = framed
  framed.attach(wire)
  return { pump, wire, framed }
}

function resume({ framed, pump }: Setup, reads: number, viewBytes: number): void {
  if (!pump.paused || reads === 0) return
  pump.allow(reads, viewBytes)
  framed.resume()
}

/** Microtasks: where a framed wire calls its owner later. */
const soon = (): Promise<void> => Promise.resolve().then(() => undefined)

for (const [kind, pieces] of [
  ['line', ['on', 'e\n', 'two\nthr', 'ee\n']],
  ['nul', ['on', 'e\0', 'two\0thr', 'ee\0']],
  ['length-be', ['\0\0', '\0\x03one', '\0\0\0\x03two\0', '\0\0\x05three']],
  [
    'content-length',
    ['Content-Le', 'ngth: 3\r\n\r\none', 'Content-Length: 3\r\n\r\ntwoContent', '-Length: 5\r\n\r\nthree'],
  ],
] as const) {
  test(`${kind}: the owner knows that a beginning is held back, until before the read that completes it`, (t) => {
    const { pump, wire, framed } = setup(specOf(kind))
    resume({ pump, wire, framed }, 100, 64)
    const held = pieces.map((piece) => {
      wire.read(Buffer.from(piece, 'latin1'))
      return pump.isHeld
    })
    t.deepEqual(held, [true, false, true, false])
    const [last] = pump.heldAtReads.slice(-1)
    t.is(last, false)
    t.true(pump.heldAtReads.includes(true), 'what lay ahead of the beginning was read while it was held')
  })
}

type Step =
  | { readonly kind: 'read'; readonly bytes: number }
  | { readonly kind: 'resume'; readonly reads: number; readonly view: number }
  | { readonly kind: 'write'; readonly bytes: number; readonly second: number }
  | { readonly kind: 'written' | 'destroy' | 'reset' | 'soon' }

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('read' as const),
        bytes: fc.oneof(fc.nat(30), fc.nat(60_000)),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('resume' as const),
        reads: fc.nat(4),
        view: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 70_000 })),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('write' as const), bytes: fc.nat(5000), second: fc.nat(50) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('written' as const, 'soon' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('destroy' as const, 'reset' as const) }) },
  ),
  { maxLength: 60 },
)

type Ending = 'end' | 'garbage' | 'truncated'

const resetError = (): NodeJS.ErrnoException => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

for (const kind of ['line', 'length-be', 'content-length', 'nul'] as const satisfies readonly FramingKind[]) {
  test(`${kind}: whatever happens, all that was decoded arrives once and in order, then the end, then the close`, async (t) => {
    const script = fc.record({
      sizes: fc.array(fc.oneof(fc.nat(20), fc.nat(40_000)), { maxLength: 8 }),
      ending: fc.constantFrom<Ending>('end', 'garbage', 'truncated'),
      steps,
    })
    await fc.assert(
      fc.asyncProperty(script, async ({ sizes, ending, steps: list }) => {
        const both = setup(specOf(kind, { maxFrameBytes: 50_000 }))
        const { pump, wire, framed } = both
        const bodies = sizes.map((size, i) => carriable(kind, patternBytes(size, i)))
        const expected = Buffer.concat(bodies.map((body) => encodeFrame(body)))
        const garbage = Buffer.concat([onWire(kind, Buffer.alloc(50_001, 0x61))])
        const last = { end: Buffer.alloc(0), garbage, truncated: onWire(kind, 'xyz').subarray(0, 2) }
        const incoming = Buffer.concat([...bodies.map((body) => onWire(kind, body)), last[ending]])
        const ring = Buffer.concat(
          Array.from({ length: 40 }, (_, i) => encodeFrame(carriable(kind, patternBytes(i * 90, i)))),
        )
        const outgoing = Buffer.concat(
          Array.from({ length: 40 }, (_, i) => onWire(kind, carriable(kind, patternBytes(i * 90, i)))),
        )
        let read = 0
        const did: Record<'end' | 'destroy' | 'reset', boolean> = { end: false, destroy: false, reset: false }
        let sent = 0
        let acknowledged = 0
        const step = async (what: Step): Promise<void> => {
          switch (what.kind) {
            case 'read': {
              if (!wire.reading || wire.closed || did.end) return
              const length = Math.min(what.bytes, incoming.length - read)
              if (length > 0) {
                wire.read(incoming.subarray(read, read + length))
                read += length
              } else if (read === incoming.length) {
                did.end = true
                framed.onEnd()
              }
              return
            }
            case 'resume':
              if (!did.destroy && pump.closed === undefined) resume(both, what.reads, what.view)
              return
            case 'write': {
              const written = pump.calls.filter((call) => call === 'written').length
              if (did.destroy || pump.closed !== undefined || written < acknowledged) return
              const first = ring.subarray(sent, sent + what.bytes)
              if (first.length === 0) return
              sent += first.length
              const second = ring.subarray(sent, sent + what.second)
              sent += second.length
              acknowledged++
              framed.write(first, second.length > 0 ? second : undefined)
              return
            }
            case 'written':
              wire.finishWrite()
              await soon()
              return
            case 'soon':
              await soon()
              if (wire.destroyed) wire.close()
              return
            case 'destroy':
              if (did.destroy || pump.closed !== undefined) return
              did.destroy = true
              framed.destroy()
              return
            case 'reset':
              if (wire.closed || wire.destroyed) return
              did.reset = true
              wire.close(resetError())
          }
        }
        for (const what of list) await step(what)
        // Everything that can still happen happens now.
        for (let i = 0; i < 200_000 && pump.closed === undefined; i++) {
          await step({ kind: 'resume', reads: 3, view: 30_000 })
          await step({ kind: 'read', bytes: 60_000 })
          if (did.end && (!pump.paused || pump.calls.includes('end'))) await step({ kind: 'destroy' })
          await step({ kind: 'soon' })
        }
        await soon()

        const { received, calls, closed } = pump
        if (closed === undefined) throw new Error('it never closed')
        if (calls.filter((call) => call === 'close').length !== 1 || calls.at(-1) !== 'close')
          throw new Error(`calls: ${String(calls)}`)
        if (!did.reset && !wire.destroyed) throw new Error('the wire was never destroyed')
        const whole = received.length >= expected.length
        if (!received.subarray(0, expected.length).equals(expected.subarray(0, received.length)))
          throw new Error('what arrived is not what was sent')
        if (ending === 'end' && received.length > expected.length) throw new Error('more arrived than was sent')
        if (calls.includes('end') && (!whole || ending !== 'end')) throw new Error('the end came before its time')
        if (closed.error instanceof FramingFault && (!whole || ending === 'end'))
          throw new Error('a fault came before its time')
        if (!did.destroy && !did.reset && ending !== 'end') {
          const fault = closed.error instanceof FramingFault ? closed.error.code : 'none'
          if (fault !== (ending === 'garbage' ? 'ERR_FRAME_TOO_LARGE' : 'ERR_TRUNCATED')) throw new Error(fault)
        }
        if (!did.destroy && !did.reset && ending === 'end' && !(whole && calls.includes('end')))
          throw new Error('not all of it arrived')
        const out = Buffer.concat(wire.written)
        if (!out.equals(outgoing.subarray(0, out.length))) throw new Error('what was written is not what was sent')
      }),
      { numRuns: 100, includeErrorInReport: true },
    )
    t.pass()
  })
}

test('a fault waits behind the frames before it until the owner has room', async (t) => {
  const both = setup(specOf('line', { maxFrameBytes: 4 }))
  const { pump, wire } = both
  resume(both, 1, 3)
  wire.read(Buffer.from('abcd\nefgh\ntoo long\n'))
  t.false(wire.destroyed)
  t.false(wire.reading)
  t.is(pump.received.length, 3)
  resume(both, 1, 12)
  t.false(wire.destroyed)
  resume(both, 1, 1)
  t.true(wire.destroyed)
  t.deepEqual(pump.received, Buffer.concat(['abcd', 'efgh'].map((word) => encodeFrame(Buffer.from(word)))))
  wire.close()
  t.is((pump.closed?.error as FramingFault).code, 'ERR_FRAME_TOO_LARGE')
  await soon()
  t.deepEqual(pump.calls, ['close'])
})

test('an unterminated last line waits until the owner has room for it, the end behind it', (t) => {
  const both = setup(specOf('line', { lastLine: 'keep' }))
  const { pump, wire, framed } = both
  resume(both, 1, 5)
  wire.read(Buffer.from('a\nlast'))
  t.true(pump.paused)
  framed.onEnd()
  t.deepEqual(pump.calls, [])
  resume(both, 5, 6)
  t.deepEqual(pump.received, Buffer.concat(['a', 'last'].map((word) => encodeFrame(Buffer.from(word)))))
  t.deepEqual(pump.calls, ['end'])
})

test('what a wire brings after destroy() goes nowhere, and its close is reported', async (t) => {
  const both = setup(specOf('line'))
  const { pump, wire, framed } = both
  resume(both, 1, 8)
  wire.read(Buffer.from('one\ntwo\n'))
  framed.destroy()
  wire.read(Buffer.from('three\n'))
  framed.onEnd()
  framed.onWritten()
  framed.onFinished()
  framed.write(encodeFrame(Buffer.from('late')), undefined)
  framed.destroy()
  wire.close()
  await soon()
  t.deepEqual(pump.calls, ['close'])
  t.is(pump.received.length, 8)
})

test('a wire that closes with frames not handed on is reported closed after them, or after destroy()', async (t) => {
  for (const how of ['resume', 'destroy'] as const) {
    const both = setup(specOf('line'))
    const { pump, wire, framed } = both
    resume(both, 1, 4)
    wire.read(Buffer.from('one\n'))
    const error = resetError()
    wire.close(error)
    await soon()
    t.deepEqual(pump.calls, [])
    if (how === 'resume') resume(both, 5, 100)
    else framed.destroy()
    await soon()
    t.deepEqual(pump.calls, ['close'])
    t.is(pump.closed?.error, error)
    t.is(pump.received.length, how === 'resume' ? 7 : 4)
  }
})

test('the end of the outgoing side is reported at once when the wire has closed behind frames not handed on', (t) => {
  const both = setup(specOf('line'))
  resume(both, 1, 6)
  both.wire.read(Buffer.from('first\nsecond\n'))
  both.wire.close(resetError())
  t.is(both.pump.closed, undefined)

  both.framed.end()

  t.deepEqual(both.pump.calls, ['finished'], 'the owner may read on only after its end')
})

test('a write that is nothing on the wire is reported later, not from inside write()', async (t) => {
  const both = setup(specOf('line'))
  const { pump, wire, framed } = both
  const frame = encodeFrame(Buffer.from('word'))
  framed.write(frame.subarray(0, 2), undefined)
  t.deepEqual(pump.calls, [])
  await soon()
  t.deepEqual(pump.calls, ['written'])
  framed.write(frame.subarray(2, 6), frame.subarray(6))
  wire.finishWrite()
  t.deepEqual(pump.calls, ['written', 'written'])
  t.is(String(Buffer.concat(wire.written)), 'word\n')
  framed.end()
  t.true(wire.ended)
})

test('two connections of one thread do not see each other in the memory that they share', (t) => {
  const ends = [setup(specOf('line')), setup(specOf('nul'))] as const
  const [lines, nuls] = ends
  for (const both of ends) resume(both, 1, 6)
  lines.wire.read(Buffer.from('first\nsecond\n'))
  nuls.wire.read(Buffer.from('eins\0zwei\0drei\0'))
  for (const both of ends) while (both.pump.received.length < both.pump.readView().length + 6) resume(both, 1, 1)
  for (const both of ends) resume(both, 99, 50)
  const asRing = (words: string[]): Buffer => Buffer.concat(words.map((word) => encodeFrame(Buffer.from(word))))
  t.deepEqual(lines.pump.received, asRing(['first', 'second']))
  t.deepEqual(nuls.pump.received, asRing(['eins', 'zwei', 'drei']))
})

for (const [kind, begun, rest] of [
  ['line', 'half a li', 'ne\n'],
  ['nul', 'half', '\0'],
  ['content-length', 'Content-Le', 'ngth: 2\r\n\r\nok'],
  ['length-be', '\0\0', '\0\u0001x'],
] as const) {
  test(`${kind}: what is held back for longer than frameTimeoutMs is a fault, unless it is finished in time`, async (t) => {
    const clock = new FakeClock()
    const all = setup(specOf(kind, { frameTimeoutMs: 100 }), clock)
    const { pump, wire } = all
    resume(all, 1000, 64)
    wire.read(Buffer.from(begun))
    clock.advance(99)
    wire.read(Buffer.from(rest))
    clock.advance(1000)
    await clock.turn()
    t.is(wire.destroyed, false, 'it was finished in time')
    t.is(clock.armed, 0)
    // The deadline passes while the rest lies in the queue behind the timer.
    wire.read(Buffer.from(begun))
    clock.advance(100)
    wire.read(Buffer.from(rest))
    await clock.turn()
    t.is(wire.destroyed, false, 'it was there in time')
    wire.read(Buffer.from(begun))
    clock.advance(100)
    await clock.turn()
    t.is(wire.destroyed, true)
    wire.close()
    t.is((pump.closed?.error as FramingFault | undefined)?.code, 'ERR_FRAME_TIMEOUT')
    t.is(clock.keepingAlive, 0)
  })
}

test('no deadline runs against a peer while its frames are not taken', async (t) => {
  const clock = new FakeClock()
  const all = setup(specOf('line', { frameTimeoutMs: 100 }), clock)
  resume(all, 1, 64)
  all.wire.read(Buffer.from('a whole line\nand half of one'))
  t.true(all.pump.paused)
  clock.advance(1000)
  await clock.turn()
  t.is(all.wire.destroyed, false)
  resume(all, 1000, 64)
  clock.advance(100)
  await clock.turn()
  t.is(all.wire.destroyed, true)
})

/** What the pump learns when the wire has closed. */
function faultOf({ pump, wire }: Setup): string | undefined {
  wire.close()
  return (pump.closed?.error as FramingFault | undefined)?.code
}

test.serial('without memory to decode, to keep or to translate the wire ends with ERR_OUT_OF_MEMORY', async (t) => {
  const begun = Buffer.alloc(2000, 'x')
  const decoding = setup(specOf('line'))
  resume(decoding, 100, 64)
  decoding.wire.read(Buffer.from('whole\n'))
  withoutMemory(1000, () => {
    decoding.wire.read(begun)
  })
  t.true(decoding.wire.destroyed)
  t.is(faultOf(decoding), 'ERR_OUT_OF_MEMORY')
  t.deepEqual(decoding.pump.received, encodeFrame(Buffer.from('whole')), 'what came before is handed on')

  const many = Buffer.alloc(2000, 'x\0')
  const keeping = setup(specOf('nul'))
  resume(keeping, 1, 64)
  withoutMemory(1000, () => {
    keeping.wire.read(many)
  })
  t.true(keeping.wire.destroyed)
  t.is(faultOf(keeping), 'ERR_OUT_OF_MEMORY')
  t.is(keeping.pump.received.length, 64)

  const frames = Buffer.concat(Array<Buffer>(100).fill(encodeFrame(Buffer.alloc(30))))
  for (const hasEnded of [false, true]) {
    const translating = setup(specOf('content-length'))
    resume(translating, 100, 64)
    if (hasEnded) translating.framed.onEnd()
    withoutMemory(1000, () => {
      translating.framed.write(frames, undefined)
    })
    t.true(translating.wire.destroyed)
    t.is(faultOf(translating), 'ERR_OUT_OF_MEMORY')
    await soon()
    t.deepEqual(translating.pump.calls, hasEnded ? ['end', 'close'] : ['close'])
  }
})

test('length-be: a length that is too large is handed on with what follows, and never as a whole frame', (t) => {
  const both = setup(specOf('length-be', { maxFrameBytes: 20 }))
  resume(both, 100, 4096)
  const log = Buffer.from('listening on port 3000\n'.repeat(20))
  both.wire.read(Buffer.concat([onWire('length-be', 'one'), log]))
  t.is(faultOf(both), 'ERR_FRAME_TOO_LARGE')
  const one = encodeFrame(Buffer.from('one'))
  t.deepEqual(both.pump.received.subarray(0, one.length), one)
  const rest = both.pump.received.subarray(one.length)
  t.is(rest.readUInt32LE(), log.readUInt32BE())
  t.deepEqual(rest.subarray(4), log.subarray(4, 68))

  const small = setup(specOf('length-be', { maxFrameBytes: 20 }))
  resume(small, 100, 4096)
  small.wire.read(onWire('length-be', 'x'.repeat(21)))
  t.is(faultOf(small), 'ERR_FRAME_TOO_LARGE')
  t.is(small.pump.received.length, 24)
})
