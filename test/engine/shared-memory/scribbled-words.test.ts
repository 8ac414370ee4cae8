/** Each word of a segment, with anything in it: the connection goes on or ends as it should, and main does not spin. */
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { LaneConnection } from '../../../engine/connection/lane-connection.js'
import { word } from '../../../engine/shared-memory/segment-layout.js'
import { SharedPair } from '../../helpers/shared-pair.js'
import { turns } from '../../helpers/turns.js'

const RING = 4096
/** As many turns of the event loop are enough for all that two ends have to do. */
const SETTLED = 20

type Word = keyof typeof word

/** Values by what lies in the word. */
const values: readonly ((now: number) => number)[] = [
  ...[0, 1, 2, -1, 255, 2 ** 31 - 1, -(2 ** 31), 2 ** 30, -(2 ** 30)].map((value) => () => value),
  ...[1, -1, RING, -RING, RING + 1, 2 ** 31].map((by) => (now: number) => (now + by) | 0),
]

/** Wakes, and wakes that do not come: the frames between both ends may stop. */
const mayStop: readonly Word[] = ['NOTIFY', 'SPACE', 'NOTIFY_AT', 'SPACE_AT']
const ends = ['OK', 'ERR_FRAMING', 'ERR_FRAME_TOO_LARGE', 'ERR_TRUNCATED', 'ERR_RESET', 'ERR_CLOSED']

let loops = 0

function codeOf(error: unknown): string {
  return error instanceof TransportError ? error.code : String(error)
}

function send(connection: LaneConnection, text: string): string | undefined {
  try {
    connection.send(text)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

test.before(() => {
  const immediate = globalThis.setImmediate
  Reflect.set(globalThis, 'setImmediate', (...args: Parameters<typeof immediate>) => {
    loops++
    return immediate(...args)
  })
})

for (const name of Object.keys(word) as Word[]) {
  for (const direction of [0, 1] as const) {
    test.serial(`${name} of direction ${String(direction)}, with anything in it`, async (t) => {
      for (const [i, valueOf] of values.entries()) {
        const options = { firstRingBytes: RING, maxRingBytes: 32_768, settings: { maxRingBytes: 32_768 } }
        const pair = await SharedPair.connect(options)
        const frames: string[] = []
        try {
          const both = [pair.dialled, pair.accepted]
          for (const connection of both)
            connection.subscribe((frame) => void frames.push(String(frame)), { borrow: true })
          for (const connection of both) send(connection, 'before')
          await turns(SETTLED)
          t.deepEqual(frames, ['before', 'before'])

          const at = pair.directions[direction] + word[name]
          Atomics.store(pair.words, at, valueOf(pair.words[at] ?? 0))
          for (const connection of both) {
            const code = send(connection, 'after')
            t.true(code === undefined || ends.includes(code), code)
          }
          await turns(SETTLED)
          loops = 0
          await turns(SETTLED)
          t.is(loops, 0, `value ${String(i)}: main sleeps`)
          if (mayStop.includes(name)) t.true(pair.dialled.pendingBytes <= 9 && pair.accepted.pendingBytes <= 9)
          t.true(frames.every((frame) => ['before', 'after', ''].includes(frame)))
          const waiting = both.map((connection) => connection.end().then(() => undefined, codeOf))
          await turns(SETTLED)
          for (const connection of both) connection.destroy()
          for (const code of await Promise.all(waiting)) t.true(code === undefined || ends.includes(code), code)
          for (const connection of both) {
            const { code } = await connection.closed
            t.true(ends.includes(code), code)
          }
        } finally {
          await pair.close()
        }
        t.is(pair.ledger.report().leaked, 0)
        t.is(pair.native.mapped, 0)
      }
    })
  }
}
