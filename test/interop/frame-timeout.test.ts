/** frameTimeoutMs against peers that never finish a frame, with a clock that stands still until the test moves it. */
import { once } from 'node:events'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { startEngine } from '../../api/engine.js'
import type { Connection } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawFrame } from '../helpers/raw-frames.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 10_000
/** Longer than every other timer of the engine, also when half of it is over. */
const LIMIT_MS = 8_000_000

failOnWarnings()

/** Waits until the deadline runs, or does not. */
async function runs(t: ExecutionContext, clock: ManualClock, ...expected: readonly number[]): Promise<void> {
  await until(() => clock.armed.length === expected.length)
  t.deepEqual(clock.armed, expected)
}

interface Ends {
  readonly clock: ManualClock
  readonly ours: Connection
  readonly peer: net.Socket
  /** Writes, and waits until the engine's thread has read it. */
  readonly write: (bytes: Uint8Array) => Promise<void>
}

function deadlineTest(title: string, body: (t: ExecutionContext, ends: Ends) => Promise<void>): void {
  test.serial(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const clock = new ManualClock((ms) => ms > 1_000_000)
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    const engine = await startEngine({ shards: 1 }, clock)
    let peer: net.Socket | undefined
    try {
      const listener = await engine.transport(`unix:${path}`, { frameTimeoutMs: LIMIT_MS }).listen()
      const client = net.connect({ path, allowHalfOpen: true })
      peer = client.on('error', () => undefined)
      await once(client, 'connect')
      const ours = await listener.accept()
      if (ours === undefined) throw new Error('the listener closed')
      let written = 0
      const write = async (bytes: Uint8Array): Promise<void> => {
        client.write(bytes)
        written += bytes.length
        await until(() => (engine.stats().shards[0]?.bytesRead ?? 0) >= written)
        // Its notification too.
        await turns(3)
      }
      await body(t, { clock, ours, peer: client, write })
    } finally {
      peer?.destroy()
      const { leaked } = await engine.close({ graceMs: 0 })
      t.is(leaked, 0)
      t.deepEqual(clock.armed, [], 'no deadline outlives its connection')
      await folder.remove()
    }
  })
}

const beginnings = [
  ['part of the length', Buffer.from([9, 0])],
  ['the length alone', Buffer.from([9, 0, 0, 0])],
  ['part of the payload', Buffer.from([9, 0, 0, 0, 1, 2, 3])],
  ['part of a payload larger than the ring', Buffer.concat([Buffer.from([0, 0, 64, 0]), Buffer.alloc(50_000)])],
] as const

for (const [what, bytes] of beginnings) {
  deadlineTest(
    `a frame of which only ${what} comes fails a pending receive() once its time is over`,
    async (t, ends) => {
      const { clock, ours, write } = ends
      const waiting = ours.receive()
      await write(bytes)
      await runs(t, clock, LIMIT_MS)
      clock.advance(LIMIT_MS - 1)
      await turns(3)
      clock.advance(1)
      const error = await rejects(t, waiting, 'ERR_FRAME_TIMEOUT')
      t.true(error.retryable)
      t.is((await ours.closed).code, 'ERR_FRAME_TIMEOUT')
    },
  )

  deadlineTest(`a frame of which only ${what} comes ends a subscribed connection`, async (t, ends) => {
    const { clock, ours, write } = ends
    const seen: string[] = []
    ours.subscribe((frame) => seen.push(String(frame)), { borrow: true })
    await write(Buffer.concat([rawFrame('whole'), bytes]))
    await runs(t, clock, LIMIT_MS)
    clock.advance(LIMIT_MS)
    t.is((await ours.closed).code, 'ERR_FRAME_TIMEOUT')
    t.deepEqual(seen, ['whole'])
  })

  deadlineTest(`a reader that comes after ${what} has the full time for the rest`, async (t, ends) => {
    const { clock, ours, write } = ends
    await write(bytes)
    t.deepEqual(clock.armed, [], 'no reader, no timer')
    clock.advance(LIMIT_MS * 5)
    const waiting = ours.receive()
    await runs(t, clock, LIMIT_MS)
    clock.advance(LIMIT_MS - 1)
    await turns(3)
    await runs(t, clock, LIMIT_MS)
    clock.advance(1)
    await rejects(t, waiting, 'ERR_FRAME_TIMEOUT')
  })
}

deadlineTest('a frame that is finished in time starts no other deadline', async (t, { clock, ours, write }) => {
  const seen: string[] = []
  const stop = ours.subscribe((frame) => seen.push(String(frame)))
  for (const word of ['one', 'two', 'three']) {
    const bytes = rawFrame(word)
    await write(bytes.subarray(0, 5))
    await runs(t, clock, LIMIT_MS)
    clock.advance(LIMIT_MS - 1)
    await write(bytes.subarray(5))
    await until(() => seen.at(-1) === word)
    t.deepEqual(clock.armed, [])
  }
  clock.advance(LIMIT_MS * 2)
  t.deepEqual(seen, ['one', 'two', 'three'])
  stop()
})

deadlineTest('more bytes of the same frame do not give it more time', async (t, { clock, ours, write }) => {
  const waiting = ours.receive()
  const bytes = rawFrame('0123456789')
  const steps = [2, 4, 8, 12]
  for (const [i, end] of steps.entries()) {
    await write(bytes.subarray(steps[i - 1] ?? 0, end))
    await runs(t, clock, LIMIT_MS)
    clock.advance(LIMIT_MS / 4)
  }
  await rejects(t, waiting, 'ERR_FRAME_TIMEOUT')
})

deadlineTest('the deadline stops without a reader, and goes on with the time that was left', async (t, ends) => {
  const { clock, ours, write } = ends
  const giveUp = new AbortController()
  const given = rejects(t, ours.receive({ signal: giveUp.signal }), 'ERR_ABORTED')
  await write(Buffer.from([9, 0, 0, 0, 1]))
  await runs(t, clock, LIMIT_MS)
  clock.advance(LIMIT_MS / 2)
  giveUp.abort()
  await given
  t.deepEqual(clock.armed, [])
  clock.advance(LIMIT_MS * 3)
  const stop = ours.subscribe(() => t.fail())
  await turns(3)
  await runs(t, clock, LIMIT_MS / 2)
  clock.advance(LIMIT_MS / 4)
  stop()
  t.deepEqual(clock.armed, [])
  clock.advance(LIMIT_MS)
  const waiting = ours.receive()
  await runs(t, clock, LIMIT_MS / 4)
  clock.advance(LIMIT_MS / 4)
  await rejects(t, waiting, 'ERR_FRAME_TIMEOUT')
})

deadlineTest('no deadline runs between two steps of a loop', async (t, { clock, ours, write }) => {
  await write(Buffer.concat([rawFrame('first'), Buffer.from([3, 0, 0, 0, 97])]))
  const seen: string[] = []
  for await (const frame of ours) {
    seen.push(String(frame))
    if (seen.length === 2) break
    await turns(3)
    t.deepEqual(clock.armed, [])
    clock.advance(LIMIT_MS * 2)
    await write(Buffer.from('bc'))
  }
  t.deepEqual(seen, ['first', 'abc'])
})

deadlineTest('a subscriber whose promise is pending does not read', async (t, { clock, ours, write }) => {
  let release = (): void => undefined
  const seen: string[] = []
  ours.subscribe((frame) => {
    seen.push(String(frame))
    return new Promise<void>((resolve) => {
      release = resolve
    })
  })
  await write(Buffer.concat([rawFrame('held'), Buffer.from([3, 0, 0, 0, 97])]))
  await until(() => seen.length === 1)
  t.deepEqual(clock.armed, [])
  clock.advance(LIMIT_MS * 2)
  release()
  await until(() => seen.length === 1 && clock.armed.length === 1)
  await write(Buffer.from('bc'))
  await until(() => seen.length === 2)
  release()
  t.deepEqual(clock.armed, [])
})

for (const end of ['close', 'destroy', 'peer'] as const) {
  deadlineTest(`the deadline is gone with the connection: ${end}`, async (t, { clock, ours, peer, write }) => {
    ours.subscribe(() => t.fail())
    await write(Buffer.from([9, 0, 0, 0, 1]))
    await runs(t, clock, LIMIT_MS)
    if (end === 'destroy') ours.destroy()
    else peer.destroy()
    if (end === 'close') void ours.close()
    await ours.closed
    t.deepEqual(clock.armed, [])
  })
}
