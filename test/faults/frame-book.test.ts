/** The campaign's record finds each way in which a reconnecting connection could report a wrong outcome. */
import test from 'ava'
import { FrameBook, type Loss } from '../../perf/chaos/frame-book.js'
import { makeFrame } from '../../perf/chaos/campaign-frames.js'
import type { RecordEntry } from '../../perf/chaos/record.js'

const frame = (number: number): Buffer => makeFrame(number, 'data', Buffer.from('x'))

function loss(handedOver: number, parts: Partial<Loss> = {}): Loss {
  return { handedOver, unconfirmed: [], retained: [], resent: 0, dropped: [], isFinal: false, ...parts }
}

function record(...runs: readonly (readonly [connection: number, first: number, last: number])[]): RecordEntry[] {
  return runs.flatMap(([connection, first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => ({ connection, number: first + i })),
  )
}

/** Ten frames of which the first connection carried six, and brought three back. */
function bookOfTen(): FrameBook {
  const book = new FrameBook('unix')
  for (let i = 0; i < 10; i++) book.take()
  for (let i = 0; i < 3; i++) book.onEcho(1, i)
  return book
}

test('a correct record causes no complaint', (t) => {
  const book = bookOfTen()
  book.onLoss(loss(5, { unconfirmed: [frame(5)], retained: [frame(3), frame(4)], resent: 4 }))
  for (let i = 6; i < 10; i++) book.onEcho(2, i)
  t.is(book.outstanding, 0)
  // The peer may have read any number of the frames that were handed over or are unconfirmed.
  book.close(record([1, 0, 3], [2, 6, 9]))
  t.deepEqual(book.complaints, [])
  t.deepEqual(book.counts, {
    sent: 10,
    echoed: 7,
    handedOver: 2,
    unconfirmed: 1,
    resent: 4,
    dropped: 0,
    wrong: 0,
  })
})

test('the last frame of a connection comes after the report of its loss', (t) => {
  const book = bookOfTen()
  book.onLoss(loss(5, { resent: 5 }))
  book.onEcho(1, 3)
  t.regex(book.complaints[0] ?? '', /frame 3 came after the report/)

  // Unless the reconnecting connection has ended: received frames stay readable after its last report.
  const over = bookOfTen()
  const dropped = Array.from({ length: 5 }, (_, i) => frame(5 + i))
  over.onLoss(loss(5, { dropped, isFinal: true }))
  over.onEcho(1, 3)
  t.deepEqual(over.complaints, [])
})

test('a frame that was reported unsent and comes back', (t) => {
  const book = bookOfTen()
  book.onLoss(loss(4, { resent: 6 }))
  book.onEcho(1, 3)
  book.onEcho(1, 4)
  t.regex(book.complaints.join(), /frame 4 came back although it was reported unsent/)
})

test('more frames came back than were reported as having left', (t) => {
  const book = bookOfTen()
  book.onLoss(loss(2, { resent: 8 }))
  t.regex(book.complaints[0] ?? '', /up to 2 came back, but only those up to 1/)
})

test('frames come back out of order, twice, or never having been sent', (t) => {
  for (const number of [1, 4, 10]) {
    const book = bookOfTen()
    book.onEcho(1, number)
    t.is(book.counts.wrong, 1, String(number))
  }
})

test('a frame that is skipped on the next connection', (t) => {
  const book = bookOfTen()
  book.onLoss(loss(5, { resent: 5 }))
  book.onEcho(2, 6)
  t.regex(book.complaints[0] ?? '', /frame 6 came back when 5 was due/)
})

test('unconfirmed, retained or dropped frames with the bytes of others', (t) => {
  for (const parts of [{ unconfirmed: [frame(7)] }, { retained: [frame(3)] }, { dropped: [frame(6)] }]) {
    const book = bookOfTen()
    book.onLoss(loss(5, parts))
    t.is(book.counts.wrong, 1, JSON.stringify(Object.keys(parts)))
  }
})

test('a last report that leaves frames out', (t) => {
  const book = bookOfTen()
  book.onLoss(loss(5, { isFinal: true, dropped: [frame(5), frame(6)] }))
  t.regex(book.complaints[0] ?? '', /frames 0 to 9 were open, and those up to 6 were reported/)
})

test('a peer that has recorded a frame twice, or one that was dropped, or has not got one that was sent again', (t) => {
  const dropped = Array.from({ length: 5 }, (_, i) => frame(5 + i))
  const cases: readonly (readonly [Loss, RecordEntry[], RegExp])[] = [
    [loss(5, { resent: 5 }), record([1, 0, 5], [2, 5, 9]), /recorded frame 5 on connections 1 and 2/],
    [loss(5, { dropped }), record([1, 0, 5]), /frame 5 arrived although it was reported dropped/],
    [loss(5, { resent: 5 }), record([1, 0, 4], [2, 6, 9]), /connection 2 began with frame 6/],
    [loss(5, { resent: 5 }), record([1, 0, 4], [2, 5, 7]), /frames 8 to 9 came back unrecorded/],
    [loss(5, { resent: 5 }), record([1, 0, 1], [1, 3, 4], [2, 5, 9]), /brought frame 3 after 1/],
  ]
  for (const [report, entries, complaint] of cases) {
    const book = bookOfTen()
    book.onLoss(report)
    if (report.resent > 0) for (let i = 5; i < 10; i++) book.onEcho(2, i)
    book.close(entries)
    t.true(
      book.complaints.some((words) => complaint.test(words)),
      `${String(complaint)}: ${book.complaints.join('; ')}`,
    )
  }
})

test('frames whose outcome stays open', (t) => {
  const book = bookOfTen()
  book.close(record([1, 0, 9]))
  t.regex(book.complaints[0] ?? '', /7 frames have neither come back nor been reported/)
})
