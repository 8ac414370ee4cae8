/** What the error on a length that is too large says about the peer. */
import test from 'ava'
import { describeExcess, PREVIEW_BYTES } from '../../../engine/protocol/framing.js'
import { quoteText } from '../../../engine/protocol/peer-text.js'
import { specOf } from '../../helpers/wire-bytes.js'

const quoted = (text: string): string | undefined => quoteText(Buffer.from(text))

test('text is quoted; of a long text only the beginning', (t) => {
  t.is(quoted('Listening on port 3000'), '"Listening on port 3000"')
  t.is(quoted('größer als 10 µm, 目錄'), '"größer als 10 µm, 目錄"')
  t.is(quoted('x'.repeat(60)), `"${'x'.repeat(60)}"`)
  t.is(quoted('x'.repeat(61)), `"${'x'.repeat(60)}…"`)
  t.is(quoteText(Buffer.from('tail é').subarray(0, -1)), '"tail "', 'the last character may be cut')
})

test('quoted text cannot move the cursor, end the quote or reverse the line', (t) => {
  t.is(quoted('\x1b[31mred\x1b[0m\r\n\t"a\\b"'), String.raw`"\u{1b}[31mred\u{1b}[0m\r\n\t\"a\\b\""`)
  t.is(quoted('a\u202eb\u2028c\ufeffd\u200be'), String.raw`"a\u{202e}b\u{2028}c\u{feff}d\u{200b}e"`)
})

test('bytes that no one writes for humans are not quoted', (t) => {
  for (const bytes of [
    [],
    [0, 0, 0, 5],
    [0x41, 0, 0x42, 0x43],
    [0xff, 0xfe, 0x41, 0x41],
    [0x41, 0x41, 0x41, 0x7f],
    [0xc2, 0x85, 0x41],
  ])
    t.is(quoteText(Uint8Array.from(bytes)), undefined, String(bytes))
})

for (const kind of ['length', 'length-be'] as const) {
  test(`${kind}: the error shows text in place of a length, or else the length`, (t) => {
    const text = Buffer.from('Debugger listening on ws://127.0.0.1:9229/0a1b\n')
    const spec = specOf(kind)
    const length = kind === 'length' ? text.readUInt32LE() : text.readUInt32BE()
    const said = describeExcess({ length, behind: text.subarray(4, 4 + PREVIEW_BYTES) }, spec)
    t.regex(said, /^the peer wrote text: "Debugger listening on ws:\/\/127\.0\.0\.1:9229\/0a1b\\n", /)
    t.regex(said, /framing option.*stdout/)
    const number = describeExcess({ length: 2_000_000_000, behind: Buffer.from([1, 2]) }, spec)
    t.regex(number, /a frame of 2000000000 bytes and maxFrameBytes is 1048576/)
    // Four letters alone, and four letters before what is no text.
    t.regex(describeExcess({ length, behind: Buffer.alloc(0) }, spec), /"Debu"/)
    t.regex(describeExcess({ length, behind: Buffer.alloc(3) }, spec), /announced a frame of/)
  })
}
