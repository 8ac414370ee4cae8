/** Text is encoded once, whatever the framing has to look at and wherever the frame has room. */
import test from 'ava'
import { framingKinds } from '../../../engine/protocol/framing.js'
import { LoneConnection } from '../../helpers/lone-connection.js'
import { turns } from '../../helpers/turns.js'
import { specOf } from '../../helpers/wire-bytes.js'

const MAX_FRAME_BYTES = 1_000_000
const DASH = Buffer.from('-')

const ENCODERS = ['from', 'byteLength'] as const

/** The first letters of the texts that are encoded or measured while `work` runs. */
function encodedIn(work: () => void): string[] {
  const found: string[] = []
  const originals = ENCODERS.map(
    (name) => [name, Reflect.get(Buffer, name) as (...args: unknown[]) => unknown] as const,
  )
  for (const [name, original] of originals) {
    Reflect.set(Buffer, name, (...args: unknown[]) => {
      const [source] = args
      if (typeof source === 'string') found.push(source.slice(0, 1))
      return original.apply(Buffer, args)
    })
  }
  try {
    work()
  } finally {
    for (const [name, original] of originals) Reflect.set(Buffer, name, original)
  }
  return found
}

for (const kind of framingKinds) {
  test.serial(`a string is encoded exactly once (${kind})`, async (t) => {
    const lone = new LoneConnection({ framing: specOf(kind, { maxFrameBytes: MAX_FRAME_BYTES }) })
    const { connection, consumer } = lone
    t.deepEqual(
      encodedIn(() => connection.send('ä')),
      ['ä'],
    )
    t.deepEqual(
      encodedIn(() => connection.send(['b', DASH, 'c'])),
      ['b', 'c'],
    )
    // The ring has no room for this one.
    t.deepEqual(
      encodedIn(() => connection.send('d'.repeat(6_000))),
      ['d'],
    )
    await turns(1)
    const bytes = Buffer.alloc(4 + 2 + 4 + 3)
    consumer.refresh()
    consumer.read(bytes, 0, bytes.length)
    t.is(bytes.toString('utf8', 4, 6), 'ä')
    t.is(bytes.toString('utf8', 10, 13), 'b-c')
  })
}
