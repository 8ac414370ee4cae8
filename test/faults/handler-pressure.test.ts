/** Peers of handler modules that send more than is read: they are held back, and memory stays bounded. */
import test, { type ExecutionContext } from 'ava'
import { rawFrame } from '../helpers/raw-frames.js'
import { byLength } from '../helpers/length.js'
import { turns, until } from '../helpers/turns.js'
import { Unruly, type UnrulyPeer } from '../helpers/unruly-listener.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const MAX_RING_BYTES = 131_072
/** Of one peer at a time, in each of its turns. */
const QUIET_LOOKS = 100
/** Frames that are taken one at a turn. */
const SLOW_FRAMES = byLength({ short: 2_000, long: 8_000 })

failOnWarnings()

async function withUnruly(t: ExecutionContext, body: (unruly: Unruly) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const unruly = await Unruly.start({ shards: 1, maxRingBytes: MAX_RING_BYTES })
  try {
    await body(unruly)
  } finally {
    t.is(await unruly.close(), 0)
  }
}

/** Sends until it is told to stop. */
async function flood({ socket }: UnrulyPeer, isOver: () => boolean): Promise<void> {
  const chunk = rawFrame(Buffer.alloc(65_536))
  while (!isOver()) {
    if (socket.writableLength === 0) socket.write(chunk)
    await turns()
  }
}

test.serial('a peer is held back while its handler reads nothing, and costs no more than its rings', async (t) => {
  await withUnruly(t, async (unruly) => {
    await unruly.listen({ serve: 'not' })
    const peers = await Promise.all(Array.from({ length: 10 }, () => unruly.connect()))
    // Each of them has been read from, and then no more for a while.
    let [quiet, before] = [0, 0]
    const isHeldBack = (): boolean => {
      const { bytesRead = 0, connections = 0 } = unruly.engine.stats().shards[0] ?? {}
      const isQuiet = connections === peers.length && bytesRead > 0 && bytesRead === before
      quiet = isQuiet && peers.every(({ socket }) => socket.writableLength > 0) ? quiet + 1 : 0
      before = bytesRead
      return quiet > peers.length * QUIET_LOOKS
    }
    await Promise.all(peers.map((peer) => flood(peer, isHeldBack)))
    const { ringMemoryInUseBytes = Infinity, connections } = unruly.engine.stats().shards[0] ?? {}
    t.is(connections, 10)
    // What filled a ring before it moved stays where it is until it is read.
    t.true(before <= 2 * peers.length * MAX_RING_BYTES, String(before))
    t.true(ringMemoryInUseBytes <= 10 * 2 * 2 * MAX_RING_BYTES, String(ringMemoryInUseBytes))
    t.is((await unruly.engine.close({ graceMs: 0 })).leaked, 0)
    await Promise.all(peers.map((peer) => until(() => peer.socket.closed)))
  })
})

test.serial(
  'a slow handler gets every frame of a peer that floods it, in order, and others are served meanwhile',
  async (t) => {
    await withUnruly(t, async (unruly) => {
      await unruly.listen({ serve: 'slowly' })
      const [flooding, other] = [await unruly.connect(), await unruly.connect()]
      const tail = 'x'.repeat(1_000)
      for (let i = 0; i < SLOW_FRAMES; i++) flooding.tell(`${String(i)} ${tail}`)
      t.is(await other.ask('meanwhile'), 'meanwhile')
      for (let i = 0; i < SLOW_FRAMES; i++) {
        const reply = await flooding.reply()
        if (reply !== `${String(i)} ${tail}`) t.fail(`frame ${String(i)}: ${String(reply?.slice(0, 20))}`)
      }
      const { ringMemoryInUseBytes = Infinity } = unruly.engine.stats().shards[0] ?? {}
      t.true(ringMemoryInUseBytes <= 2 * 2 * 2 * MAX_RING_BYTES)
    })
  },
)
