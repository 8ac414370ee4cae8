/** Peers of handler modules that send more than is read: they are held back, and memory stays bounded. */
import test, { type ExecutionContext } from 'ava'
import { rawFrame } from '../helpers/raw-frames.js'
import { byLength } from '../helpers/length.js'
import { turns, until } from '../helpers/turns.js'
import { Unruly, type UnrulyPeer } from '../helpers/unruly-listener.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const MAX_RING_BYTES = 131_072
/** Frames that are taken one at a turn. */
const SLOW_FRAMES = byLength({ short: 2_000, long: 20_000 })

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
    const allPaused = (): boolean => (unruly.engine.stats().shards[0]?.pausedReads ?? 0) >= peers.length
    await Promise.all(peers.map((peer) => flood(peer, allPaused)))
    const { ringMemoryInUseBytes = Infinity, connections } = unruly.engine.stats().shards[0] ?? {}
    t.is(connections, 10)
    // While a ring moves it has two regions.
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
