/** Each framing's decoder and encoder, without threads. */
import test from 'ava'
import fc from 'fast-check'
import { FRAME_HEADER_BYTES } from '../../../engine/protocol/ring-layout.js'
import { FramingFault, type FramingKind, type FramingSpec } from '../../../engine/protocol/framing.js'
import { Accumulator } from '../../../workers/framings/accumulator.js'
import type { Codec, FrameSink } from '../../../workers/framings/codec.js'
import { Decoded, readBytes, readMemory } from '../../../workers/framings/decoded.js'
import { Translation } from '../../../workers/framings/encoded.js'
import { codecFor } from '../../../workers/framings/codec-registry.js'
import { countAllocations } from '../../helpers/count-allocations.js'
import { encodeFrame } from '../../helpers/lane-fixture.js'
import { holds } from '../../helpers/property.js'
import { patternBytes, Random, testSeed } from '../../helpers/random.js'
import { failOnWarnings } from '../../helpers/warnings.js'
import { carriable, onWire, specOf } from '../../helpers/wire-bytes.js'

failOnWarnings()

const WATCHDOG_MS = 20_000
const KiB = 1024
const MiB = 1_048_576

test.beforeEach((t) => {
  t.timeout(WATCHDOG_MS)
})

/** The framings that keep frame boundaries. */
const framed = ['length-be', 'line', 'nul', 'content-length'] as const satisfies readonly FramingKind[]
const translated = [...framed, 'raw'] as const

function codecOf(spec: FramingSpec): Codec {
  const codec = codecFor(spec)
  if (codec === undefined) throw new Error(`${spec.kind} is not translated`)
  return codec
}

/** Puts frames together and checks what a sink may rely on. */
class Frames implements FrameSink {
  readonly whole: Buffer[] = []
  #begun: Buffer[] | undefined
  #missing = 0

  frame(bytes: Buffer, start: number, end: number): void {
    if (this.#begun !== undefined) throw new Error('a frame inside a frame')
    if (start > end || end > bytes.length) throw new Error('a frame outside of its memory')
    this.whole.push(Buffer.from(bytes.subarray(start, end)))
  }

  keep(bytes: Buffer, start: number, end: number): void {
    this.frame(bytes, start, end)
  }

  begin(length: number): void {
    if (this.#begun !== undefined) throw new Error('a frame inside a frame')
    this.#begun = []
    this.#missing = length
    this.#finish()
  }

  payload(bytes: Buffer, start: number, end: number): void {
    if (this.#begun === undefined || end - start > this.#missing) throw new Error('payload without a frame')
    if (end > bytes.length) throw new Error('payload outside of its memory')
    this.#begun.push(Buffer.from(bytes.subarray(start, end)))
    this.#missing -= end - start
    this.#finish()
  }

  #finish(): void {
    if (this.#missing > 0 || this.#begun === undefined) return
    this.whole.push(Buffer.concat(this.#begun))
    this.#begun = undefined
  }
}

interface Outcome {
  readonly frames: string[]
  readonly fault: string | undefined
}

/** Decodes chunks, then the end. Everything that is not a FramingFault fails the test. */
function decode(spec: FramingSpec, chunks: readonly Uint8Array[], ends = true): Outcome {
  const { decoder } = codecOf(spec)
  const sink = new Frames()
  const outcome = (fault?: string): Outcome => ({
    frames: sink.whole.map((frame) => frame.toString('latin1')),
    fault,
  })
  try {
    for (const chunk of chunks) {
      const lent = Buffer.from(chunk)
      decoder.push(lent, sink)
      // Valid during the call and no longer.
      lent.fill(0xee)
    }
    if (ends) decoder.end(sink)
  } catch (error) {
    if (!(error instanceof FramingFault)) throw error
    return outcome(error.code)
  }
  return outcome()
}

function text(spec: FramingSpec, ...chunks: string[]): Outcome {
  return decode(
    spec,
    chunks.map((chunk) => Buffer.from(chunk, 'latin1')),
  )
}

/** The bytes, cut after each of these places. */
function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])]
  sorted.sort((a, b) => a - b)
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end))
}

/** Whole, cut in two at every place, and byte by byte: the same outcome each time. */
function everyCut(spec: FramingSpec, bytes: Uint8Array): Outcome {
  const whole = decode(spec, [bytes])
  const splits = [...bytes.keys()].map((place) => cutAt(bytes, [place]))
  splits.push([...bytes].map((byte) => Uint8Array.of(byte)))
  for (const chunks of splits) {
    const cut = decode(spec, chunks)
    if (JSON.stringify(cut) !== JSON.stringify(whole)) {
      throw new Error(
        `cut ${String(chunks.map((chunk) => chunk.length))}: ${JSON.stringify(cut)} instead of ${JSON.stringify(whole)}`,
      )
    }
  }
  return whole
}

const latin1 = (frame: Uint8Array): string => Buffer.from(frame).toString('latin1')

for (const kind of framed) {
  test(`${kind}: small frames are the same wherever the bytes are cut`, (t) => {
    const frames = fc.array(fc.uint8Array({ maxLength: 12 }), { maxLength: 5 })
    holds(
      t,
      fc.property(frames, (payloads) => {
        const bodies = payloads.map((payload) => carriable(kind, payload))
        const { frames: seen, fault } = everyCut(specOf(kind), Buffer.concat(bodies.map((body) => onWire(kind, body))))
        return fault === undefined && JSON.stringify(seen) === JSON.stringify(bodies.map(latin1))
      }),
      60,
    )
  })

  test(`${kind}: large frames are the same wherever the bytes are cut`, (t) => {
    const sizes = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 5 })
    const places = fc.array(fc.nat(400_000), { maxLength: 30 })
    holds(
      t,
      fc.property(sizes, places, (lengths, cuts) => {
        const bodies = lengths.map((length, i) => carriable(kind, patternBytes(length, i + length)))
        const bytes = Buffer.concat(bodies.map((body) => onWire(kind, body)))
        const { frames, fault } = decode(specOf(kind), cutAt(bytes, cuts))
        return (
          fault === undefined &&
          frames.every((frame, i) => frame === latin1(bodies[i] ?? Buffer.alloc(0))) &&
          frames.length === bodies.length
        )
      }),
      40,
    )
  })

  test(`${kind}: empty frames are frames`, (t) => {
    const bytes = Buffer.concat(Array.from({ length: 4 }, () => onWire(kind, '')))
    t.deepEqual(everyCut(specOf(kind), bytes), { frames: ['', '', '', ''], fault: undefined })
  })

  test(`${kind}: an end inside a frame is ERR_TRUNCATED wherever it is, after the frames before it`, (t) => {
    const first = onWire(kind, 'one')
    const both = Buffer.concat([first, onWire(kind, 'second')])
    for (let end = 0; end <= both.length; end++) {
      const frames = end < first.length ? [] : end < both.length ? ['one'] : ['one', 'second']
      const isBoundary = end === 0 || end === first.length || end === both.length
      const fault = isBoundary ? undefined : 'ERR_TRUNCATED'
      t.deepEqual(everyCut(specOf(kind), both.subarray(0, end)), { frames, fault }, String(end))
    }
  })

  test(`${kind}: a frame of maxFrameBytes is taken, one byte more is not, and what came before is`, (t) => {
    const spec = specOf(kind, { maxFrameBytes: 20 })
    const fits = 'x'.repeat(20)
    const whole = Buffer.concat([onWire(kind, 'one'), onWire(kind, fits)])
    t.deepEqual(everyCut(spec, whole), { frames: ['one', fits], fault: undefined })
    const over = Buffer.concat([onWire(kind, 'one'), onWire(kind, `${fits}x`)])
    t.deepEqual(everyCut(spec, over), { frames: ['one'], fault: 'ERR_FRAME_TOO_LARGE' })
  })
}

test('raw: every read is a frame, in pieces of at most maxFrameBytes', (t) => {
  const spec = specOf('raw', { maxFrameBytes: 4 })
  t.deepEqual(text(spec, 'abcd', 'e', 'fghijklmn'), {
    frames: ['abcd', 'e', 'fghi', 'jklm', 'n'],
    fault: undefined,
  })
  t.deepEqual(text(spec), { frames: [], fault: undefined })
})

test('length-be: an announced length is refused before its payload comes', (t) => {
  const spec = specOf('length-be', { maxFrameBytes: 1000 })
  for (const length of [
    [0, 0, 3, 0xe9],
    [0x7f, 255, 255, 255],
    [255, 255, 255, 255],
  ]) {
    t.deepEqual(everyCut(spec, Uint8Array.from(length)), { frames: [], fault: 'ERR_FRAME_TOO_LARGE' })
  }
})

test('line: LF and CRLF end a line, a CR elsewhere is part of it', (t) => {
  const bytes = Buffer.from('lf\ncrlf\r\n\r\n\n\ra\rb\rc\r\r\nend\n')
  t.deepEqual(everyCut(specOf('line'), bytes), {
    frames: ['lf', 'crlf', '', '', '\ra\rb\rc\r', 'end'],
    fault: undefined,
  })
})

test('nul: CR and LF are ordinary bytes', (t) => {
  t.deepEqual(everyCut(specOf('nul'), Buffer.from('a\r\n\0\r\0\n\0\0')), {
    frames: ['a\r\n', '\r', '\n', ''],
    fault: undefined,
  })
})

test('line and nul: lastLine decides what an unterminated last frame is', (t) => {
  const keep = { lastLine: 'keep' } as const
  t.deepEqual(everyCut(specOf('line', keep), Buffer.from('a\nb')), { frames: ['a', 'b'], fault: undefined })
  t.deepEqual(everyCut(specOf('line', keep), Buffer.from('a\nb\r')), { frames: ['a', 'b'], fault: undefined })
  t.deepEqual(everyCut(specOf('line', keep), Buffer.from('a\n')), { frames: ['a'], fault: undefined })
  t.deepEqual(everyCut(specOf('nul', keep), Buffer.from('a\0b\r')), {
    frames: ['a', 'b\r'],
    fault: undefined,
  })
  t.deepEqual(everyCut(specOf('line'), Buffer.from('a\nb')), { frames: ['a'], fault: 'ERR_TRUNCATED' })
  t.deepEqual(everyCut(specOf('line'), Buffer.from('a\n\r')), { frames: ['a'], fault: 'ERR_TRUNCATED' })
  t.deepEqual(everyCut(specOf('line', { ...keep, maxFrameBytes: 4 }), Buffer.from('abcde')), {
    frames: [],
    fault: 'ERR_FRAME_TOO_LARGE',
  })
})

test('line with a delimiter: CR and LF are ordinary bytes, and lastLine applies', (t) => {
  const delimiter = 0x0c
  const bytes = Buffer.from('a\r\n\f\r\f\n\f\fb\r')
  const frames = ['a\r\n', '\r', '\n', '']
  t.deepEqual(everyCut(specOf('line', { delimiter, lastLine: 'keep' }), bytes), {
    frames: [...frames, 'b\r'],
    fault: undefined,
  })
  t.deepEqual(everyCut(specOf('line', { delimiter }), bytes), { frames, fault: 'ERR_TRUNCATED' })
  const spec = specOf('line', { delimiter, maxFrameBytes: 4 })
  t.is(everyCut(spec, Buffer.from('abcd\f')).fault, undefined)
  for (const long of ['abcd\r\f', 'abcde'])
    t.deepEqual(everyCut(spec, Buffer.from(long)), { frames: [], fault: 'ERR_FRAME_TOO_LARGE' }, long)
})

test('line: the CR of a CRLF does not count, any other byte over maxFrameBytes does', (t) => {
  const spec = specOf('line', { maxFrameBytes: 4 })
  for (const bytes of ['abcd\n', 'abcd\r\n', 'abc\r\r\n']) {
    t.is(everyCut(spec, Buffer.from(bytes)).fault, undefined, JSON.stringify(bytes))
  }
  for (const bytes of ['abcde\n', 'abcde\r\n', 'abcd\r\r\n', 'abcd\rx', 'abcdef']) {
    t.deepEqual(everyCut(spec, Buffer.from(bytes)), { frames: [], fault: 'ERR_FRAME_TOO_LARGE' }, bytes)
  }
})

test('line: a line that never ends is refused without being kept', (t) => {
  const { decoder } = codecOf(specOf('line', { maxFrameBytes: 10_000 }))
  const sink = new Frames()
  const chunk = Buffer.alloc(3000, 0x61)
  const sizes = countAllocations(() => {
    const error = t.throws(
      () => {
        for (;;) decoder.push(chunk, sink)
      },
      { instanceOf: FramingFault },
    )
    t.is(error.code, 'ERR_FRAME_TOO_LARGE')
  })
  t.true(
    sizes.every((size) => size <= 20_000),
    String(sizes),
  )
})

test('content-length: other headers are skipped, names have no case, lines may end in LF alone', (t) => {
  const blocks = [
    'Content-Length: 2\r\n\r\n',
    'content-length: 2\r\n\r\n',
    'CONTENT-LENGTH:2\r\n\r\n',
    'Content-Length: 2\n\n',
    'Content-Length: 2\r\n\n',
    'Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n',
    'Content-Length: 2\r\nX-Empty:\r\nX: y: z\r\n\r\n',
    'Content-Length:\t 2 \t\r\n\r\n',
    'Content-Length : 0002\r\n\r\n',
    'Content-Length: 2\r\nContent-Length: 2\r\n\r\n',
  ]
  for (const block of blocks) {
    const bytes = Buffer.from(`${block}ok${block}\r\n`)
    t.deepEqual(everyCut(specOf('content-length'), bytes), { frames: ['ok', '\r\n'], fault: undefined }, block)
  }
})

test('content-length: what is not a block of headers with one length is ERR_FRAMING', (t) => {
  const blocks = [
    '\r\n',
    '\n',
    'Content-Type: x\r\n\r\n',
    'Content-Length: 2\r\nContent-Length: 3\r\n\r\n',
    'Content-Length: -1\r\n',
    'Content-Length: +1\r\n',
    'Content-Length: 1.0\r\n',
    'Content-Length: 1e1\r\n',
    'Content-Length: 0x1\r\n',
    'Content-Length: two\r\n',
    'Content-Length: 1 2\r\n',
    'Content-Length:\r\n',
    'Content-Length: \r\n',
    'Content-Length\r\n',
    ': 5\r\n',
    '  \r\n',
    '{"jsonrpc":\n',
    '\0\0\0\r\n',
    'Content-Length: 1\r2\r\n',
  ]
  for (const block of blocks) {
    const before = 'Content-Length: 3\r\n\r\none'
    const expected = { frames: ['one'], fault: 'ERR_FRAMING' }
    t.deepEqual(everyCut(specOf('content-length'), Buffer.from(before + block)), expected, JSON.stringify(block))
  }
  t.is(text(specOf('content-length'), 'Content\rLength: 2\r\n\r\nok').fault, 'ERR_FRAMING')
})

test('content-length: huge lengths are ERR_FRAME_TOO_LARGE, however many digits they have', (t) => {
  for (const digits of ['1048577', '4294967296', '9007199254740993', '9'.repeat(20), '1'.repeat(400)]) {
    const bytes = Buffer.from(`Content-Length: ${digits}\r\n`)
    t.deepEqual(decode(specOf('content-length'), [bytes]), { frames: [], fault: 'ERR_FRAME_TOO_LARGE' })
  }
  const padded = `Content-Length: ${'2'.padStart(40, '0')}\r\n\r\nok`
  t.deepEqual(text(specOf('content-length'), padded), { frames: ['ok'], fault: undefined })
})

test('content-length: a block of maxHeaderBytes is taken, one byte more is not', (t) => {
  const spec = specOf('content-length', { maxHeaderBytes: 64 })
  const block = (length: number): string => {
    const rest = 'Content-Length: 2\r\nX: \r\n\r\n'
    return `Content-Length: 2\r\nX: ${'x'.repeat(length - rest.length)}\r\n\r\n`
  }
  t.is(block(64).length, 64)
  t.deepEqual(everyCut(spec, Buffer.from(`${block(64)}ok${block(64)}ok`)), {
    frames: ['ok', 'ok'],
    fault: undefined,
  })
  t.deepEqual(everyCut(spec, Buffer.from(`${block(64)}ok${block(65)}ok`)), {
    frames: ['ok'],
    fault: 'ERR_HEADER_TOO_LARGE',
  })
  t.is(text(spec, 'x'.repeat(64), 'x').fault, 'ERR_HEADER_TOO_LARGE')
})

/** Counts the bytes that copies of Buffers move. */
function countCopied(work: () => void): number {
  type Copy = (this: Buffer, ...args: Parameters<Buffer['copy']>) => number
  const original = Reflect.get(Buffer.prototype, 'copy') as Copy
  let copied = 0
  const counting: Copy = function (...args) {
    const done = original.apply(this, args)
    copied += done
    return done
  }
  Reflect.set(Buffer.prototype, 'copy', counting)
  try {
    work()
  } finally {
    Reflect.set(Buffer.prototype, 'copy', original)
  }
  return copied
}

for (const kind of framed) {
  test.serial(`${kind}: a frame of 64 MiB in pieces of 1 KiB takes linear work and bounded memory`, (t) => {
    const length = 64 * MiB
    const { decoder } = codecOf(specOf(kind, { maxFrameBytes: length }))
    let received = 0
    let frames = 0
    const sink: FrameSink = {
      begin: () => frames++,
      frame: (_bytes, start, end) => {
        frames++
        received += end - start
      },
      keep: (bytes, start, end) => {
        sink.frame(bytes, start, end)
      },
      payload: (_bytes, start, end) => (received += end - start),
    }
    const wire = onWire(kind, '')
    const before =
      kind === 'length-be' ? Buffer.from([4, 0, 0, 0]) : Buffer.from(`Content-Length: ${String(length)}\r\n\r\n`)
    const delimited = kind === 'line' || kind === 'nul'
    const piece = Buffer.alloc(KiB, 0x61)
    let copied = 0
    const sizes = countAllocations(() => {
      copied = countCopied(() => {
        if (!delimited) decoder.push(before, sink)
        for (let i = 0; i < length / KiB; i++) decoder.push(piece, sink)
        if (delimited) decoder.push(wire, sink)
        decoder.end(sink)
      })
    })
    t.is(frames, 1)
    t.is(received, length)
    // Gathered once, and moved by each doubling: twice its length in all.
    t.true(copied <= (delimited ? 3 : 0) * length + KiB, String(copied))
    t.true(
      sizes.every((size) => size <= 2 * length),
      String(sizes),
    )
    t.true(sizes.length <= (delimited ? 24 : 2), String(sizes.length))
  })
}

test('the buffer of gathered bytes is given up once it was large, and not before', (t) => {
  const gathered = new Accumulator()
  gathered.append(Buffer.from('--abc--'), 2, 5)
  t.is(gathered.bytes.toString('latin1', 0, gathered.length), 'abc')
  const small = gathered.bytes
  gathered.clear()
  t.is(gathered.length, 0)
  t.is(gathered.bytes, small)
  gathered.append(Buffer.alloc(100_000, 1), 0, 100_000)
  t.true(gathered.isLarge)
  gathered.clear()
  t.is(gathered.bytes.length, 0)
})

type Step =
  | { readonly kind: 'frame' | 'keep' | 'pieces'; readonly connection: 0 | 1; readonly length: number }
  | { readonly kind: 'move'; readonly connection: 0 | 1; readonly view: number }

test('decoded frames of two connections that share memory come out as they went in', (t) => {
  const connection = fc.constantFrom(0 as const, 1 as const)
  const steps = fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constantFrom('frame' as const, 'keep' as const, 'pieces' as const),
        connection,
        length: fc.oneof(fc.nat(40), fc.nat(70_000)),
      }),
      fc.record({
        kind: fc.constant('move' as const),
        connection,
        view: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 200_000 })),
      }),
    ),
    { maxLength: 40 },
  )
  const run = (script: readonly Step[]): boolean => {
    const decoded = [new Decoded(), new Decoded()] as const
    const expected: [Buffer[], Buffer[]] = [[], []]
    const got: [Buffer[], Buffer[]] = [[], []]
    const move = (which: 0 | 1, view: number): void => {
      const target = Buffer.from(new SharedArrayBuffer(view + 2)).fill(0xcc)
      const length = decoded[which].moveTo(target.subarray(1, view + 1))
      if (target[0] !== 0xcc || target.subarray(length + 1).some((byte) => byte !== 0xcc))
        throw new Error('bytes outside of the view')
      got[which].push(Buffer.from(target.subarray(1, length + 1)))
    }
    for (const [i, step] of script.entries()) {
      const which = step.connection
      if (step.kind === 'move') {
        move(which, step.view)
      } else {
        const body = patternBytes(step.length, i)
        expected[which].push(encodeFrame(body))
        // From where the kernel reads to, if it fits, as in a shard.
        const fits = body.length <= readMemory.length && step.kind !== 'keep'
        if (fits) body.copy(readMemory)
        const bytes = fits ? readBytes(body.length) : body
        if (step.kind === 'frame') decoded[which].frame(bytes, 0, bytes.length)
        else if (step.kind === 'keep') decoded[which].keep(bytes, 0, bytes.length)
        else {
          decoded[which].begin(bytes.length)
          const middle = bytes.length >> 1
          decoded[which].payload(bytes, 0, middle)
          decoded[which].payload(bytes, middle, bytes.length)
        }
      }
      // What the other one decodes next goes where the bytes of this one began.
      decoded[which].settle()
    }
    for (const which of [0, 1] as const) while (!decoded[which].isEmpty()) move(which, 100_000)
    return ([0, 1] as const).every((which) => Buffer.concat(got[which]).equals(Buffer.concat(expected[which])))
  }
  holds(t, fc.property(steps, run), 150)
})

test('decoded frames fit through views of every small size', (t) => {
  const bodies = ['', 'a', 'bc', 'defgh'].map((body) => Buffer.from(body))
  for (let view = 1; view <= 30; view++) {
    const decoded = new Decoded()
    for (const body of bodies) decoded.frame(body, 0, body.length)
    const parts: Buffer[] = []
    while (!decoded.isEmpty()) {
      const target = Buffer.alloc(view)
      const length = decoded.moveTo(target)
      t.true(length > 0)
      parts.push(target.subarray(0, length))
      if (parts.length % 2 === 0) decoded.settle()
    }
    t.deepEqual(Buffer.concat(parts), Buffer.concat(bodies.map((body) => encodeFrame(body))))
  }
})

test('cleared bytes are gone', (t) => {
  const decoded = new Decoded()
  decoded.frame(Buffer.from('old'), 0, 3)
  decoded.clear()
  t.true(decoded.isEmpty())
  decoded.frame(Buffer.from('new'), 0, 3)
  const target = Buffer.alloc(20)
  t.deepEqual(target.subarray(0, decoded.moveTo(target)), encodeFrame(Buffer.from('new')))
})

/** Ring bytes in two segments of shared memory, as a pump hands them over. */
function shared(bytes: Uint8Array): Buffer {
  const memory = Buffer.from(new SharedArrayBuffer(bytes.length))
  memory.set(bytes)
  return memory
}

/** Hands pieces to a translation; the wire's bytes. */
function translate(translation: Translation, first: Uint8Array, second?: Uint8Array): Buffer {
  const total = first.length + (second?.length ?? 0)
  if (translation.passes(total)) return Buffer.concat([first, second ?? Buffer.alloc(0)])
  const bytes = Buffer.from(translation.translate(shared(first), second && shared(second)))
  translation.done()
  return bytes
}

for (const kind of translated) {
  test(`${kind}: bytes of a ring, cut anywhere, are the bytes of the wire`, (t) => {
    const sizes = fc.array(fc.oneof(fc.constant(0), fc.nat(20), fc.nat(90_000)), { maxLength: 30 })
    const places = fc.array(fc.nat(1_000_000), { maxLength: 20 })
    holds(
      t,
      fc.property(sizes, places, fc.boolean(), (lengths, cuts, inTwo) => {
        const bodies = lengths.map((length, i) => carriable(kind, patternBytes(length, i)))
        const ring = Buffer.concat(bodies.map((body) => encodeFrame(body)))
        const pieces = cutAt(ring, cuts)
        const translation = new Translation(codecOf(specOf(kind)).encoder)
        const wire: Buffer[] = []
        for (let i = 0; i < pieces.length; i++) {
          const second = inTwo ? pieces[++i] : undefined
          wire.push(translate(translation, pieces[inTwo ? i - 1 : i] ?? Buffer.alloc(0), second))
        }
        return Buffer.concat(wire).equals(Buffer.concat(bodies.map((body) => onWire(kind, body))))
      }),
      60,
    )
  })

  test(`${kind}: small frames are the same on the wire wherever the ring is cut`, (t) => {
    const bodies = ['', 'a', 'some text', '', 'x'.repeat(12), 'last'].filter((body) => kind !== 'raw' || body !== '')
    const ring = Buffer.concat(bodies.map((body) => encodeFrame(Buffer.from(body))))
    const wire = Buffer.concat(bodies.map((body) => onWire(kind, body)))
    for (let cut = 0; cut <= ring.length; cut++) {
      const translation = new Translation(codecOf(specOf(kind)).encoder)
      const parts = [ring.subarray(0, cut), ring.subarray(cut)].map((part) => translate(translation, part))
      t.deepEqual(Buffer.concat(parts), wire, `cut at ${String(cut)}`)
    }
    const translation = new Translation(codecOf(specOf(kind)).encoder)
    t.deepEqual(Buffer.concat([...ring].map((byte) => translate(translation, Uint8Array.of(byte)))), wire)
  })

  test(`${kind}: many empty or tiny frames, which grow on the wire, are translated in one write`, (t) => {
    if (kind === 'raw') {
      t.pass('they do not grow')
      return
    }
    for (const length of [0, 1, 3]) {
      const body = Buffer.alloc(length, 0x61)
      const ring = Buffer.concat(Array.from({ length: 40_000 }, () => encodeFrame(body)))
      const translation = new Translation(codecOf(specOf(kind)).encoder)
      const wire = translate(translation, ring)
      t.true(wire.equals(Buffer.concat(Array.from({ length: 40_000 }, () => onWire(kind, body)))))
    }
  })
}

test('content-length: every number of digits is written as it is', (t) => {
  const { encoder } = codecOf(specOf('content-length'))
  for (const length of [0, 9, 10, 99, 100, 12_345, 999_999, 1_000_000, 2 ** 30, 0xffff_ffff]) {
    const target = Buffer.alloc(encoder.overhead + 1, 0xcc)
    const end = encoder.prefix(length, target, 1)
    t.is(target.toString('latin1', 1, end), `Content-Length: ${String(length)}\r\n\r\n`)
    t.true(end - 1 <= encoder.overhead)
  }
})

test('bytes whose write is in flight are not touched by other connections', (t) => {
  const writes = fc.array(fc.tuple(fc.nat(3), fc.nat(90_000), fc.boolean()), { minLength: 2, maxLength: 30 })
  holds(
    t,
    fc.property(writes, (script) => {
      const connections = Array.from({ length: 4 }, () => ({
        translation: new Translation(codecOf(specOf('line')).encoder),
        inFlight: undefined as { readonly bytes: Buffer; readonly expected: Buffer } | undefined,
      }))
      for (const [i, [which, length, completes]] of script.entries()) {
        const connection = connections[which]
        if (connection === undefined) return false
        if (connection.inFlight === undefined) {
          const body = carriable('line', patternBytes(length, i))
          const bytes = connection.translation.translate(shared(encodeFrame(body)), undefined)
          connection.inFlight = { bytes, expected: onWire('line', body) }
        } else if (completes) {
          connection.inFlight = undefined
          connection.translation.done()
        }
        for (const { inFlight } of connections) if (inFlight?.bytes.equals(inFlight.expected) === false) return false
      }
      return true
    }),
  )
})

test('bytes inside a payload pass unchanged, its last byte does not', (t) => {
  const translation = new Translation(codecOf(specOf('line')).encoder)
  t.false(translation.passes(1), 'a header comes first')
  t.is(String(translate(translation, encodeFrame(Buffer.from('abcdef')).subarray(0, 6))), 'ab')
  t.true(translation.passes(3))
  t.false(translation.passes(1))
  t.is(String(translate(translation, Buffer.from('f'))), 'f\n')
})

const FUZZ_BYTES = 30_000

for (const kind of translated) {
  test.serial(`${kind}: random bytes give frames or a fault, and take bounded memory`, (t) => {
    const seed = testSeed()
    const random = new Random(seed)
    const note = `SYMPHONY_SEED=${String(seed)}`
    // Bytes that mean something to one of the framings come more often than others.
    const meaningful = [
      '\n',
      '\r',
      '\0',
      '\r\n',
      '\r\n\r\n',
      ':',
      'Content-Length: ',
      '7',
      '12',
      ' ',
      '\0\0\0\t',
    ] as const
    for (let round = 0; round < 60; round++) {
      const spec = specOf(kind, {
        maxFrameBytes: random.between(1, 3000),
        maxHeaderBytes: random.between(64, 500),
        lastLine: random.oneIn(2) ? 'keep' : 'refuse',
      })
      const { decoder } = codecOf(spec)
      const sink = new Frames()
      const sizes = countAllocations(() => {
        try {
          for (let done = 0; done < FUZZ_BYTES;) {
            const parts = Array.from({ length: random.between(1, 40) }, () => {
              if (random.oneIn(2)) return Buffer.from(random.pick(meaningful))
              return patternBytes(random.between(0, random.oneIn(20) ? 4000 : 30), random.next())
            })
            const chunk = Buffer.concat(parts)
            done += chunk.length + 1
            decoder.push(chunk, sink)
          }
          decoder.end(sink)
        } catch (error) {
          if (!(error instanceof FramingFault)) throw new Error(`${note}: ${String(error)}`, { cause: error })
        }
      })
      const largest = Math.max(0, ...sink.whole.map((frame) => frame.length))
      t.true(largest <= spec.maxFrameBytes, note)
      t.true(Math.max(0, ...sizes) <= Math.max(2 * spec.maxFrameBytes, 64 * KiB) + FRAME_HEADER_BYTES, note)
    }
  })
}
