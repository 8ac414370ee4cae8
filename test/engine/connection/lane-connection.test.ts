/** A connection against a shard that stores its words in the order that suits a mistake. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import test from 'ava'
import type { AttachedProcess } from '../../../engine/common/attached-process.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { inState, intent, lane, life } from '../../../engine/protocol/ring-layout.js'
import { LoneConnection } from '../../helpers/lone-connection.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { encodeFrame, publishBytes } from '../../helpers/lane-fixture.js'
import { signal, turns, until } from '../../helpers/turns.js'

const WATCHDOG_MS = 20_000
const CLOSE_TIMEOUT_MS = 2_003
/** Longer than a connection may keep main in one turn. */
const TURN_MS = 5

const exited: AttachedProcess = {
  pid: 2,
  exited: Promise.resolve({ exitCode: 0, signal: null }),
  stderrHead: '',
  endSoon: () => undefined,
  endNow: () => undefined,
}

test('a shard that has to release the pipes of a dead child is not asked to write first', async (t) => {
  const clock = new ManualClock((ms) => ms === CLOSE_TIMEOUT_MS)
  const lone = new LoneConnection({ clock, closeTimeoutMs: CLOSE_TIMEOUT_MS })
  const { connection } = lone
  // More than the ring has room for, to a stdin that another process holds.
  t.false(connection.send(Buffer.alloc(6_000)))
  connection.attachProcess(exited)
  await until(() => clock.armed.length === 1)
  clock.advance(CLOSE_TIMEOUT_MS)
  await turns(2)
  t.is(lone.load(lane.OUT_INTENT), intent.DESTROY)
  // Now it is read after all, before the shard has heard.
  lone.takeAll()
  connection.onNotify()
  t.is(lone.load(lane.OUT_INTENT), intent.DESTROY)
  lone.store(lane.LIFE, life.CLOSED)
  connection.onNotify()
  t.deepEqual(await connection.closed, { code: 'OK', exitCode: 0, signal: null })
})

/** The peer has said this and ended, our side has ended too, and main hears of all of it at once. */
function overWith(bytes: Uint8Array): LoneConnection {
  const lone = new LoneConnection()
  lone.connection.end().catch(() => undefined)
  publishBytes(lone.producer, bytes)
  lone.store(lane.IN_STATE, inState.ENDED)
  lone.store(lane.LIFE, life.CLOSED)
  return lone
}

const one = encodeFrame(Buffer.from('one'))

for (const [what, rest, code] of [
  ['behind a whole frame', one, 'OK'],
  ['in the middle of a payload', encodeFrame(Buffer.from('two')).subarray(0, 6), 'ERR_TRUNCATED'],
  ['in the middle of a header', Buffer.alloc(3), 'ERR_TRUNCATED'],
  ['with a frame that is too large', Buffer.from([0, 0, 0, 0x40]), 'ERR_FRAME_TOO_LARGE'],
] as const) {
  test(`closed says ${code} of a stream that ends ${what}, whether or not it was read`, async (t) => {
    const { connection } = overWith(Buffer.concat([one, rest]))
    connection.onNotify()
    t.is((await connection.closed).code, code)
    t.is(String(await connection.receive()), 'one')
    const last = await connection.receive().then(
      (frame) => (frame === undefined ? 'end' : 'OK'),
      (error: unknown) => (error as { readonly code?: unknown }).code,
    )
    t.is(last, code)
  })
}

test('a subscriber that fails over the last frames fails its connection', async (t) => {
  // So many that it is over for the shard before main has had time for all of them.
  const { connection } = overWith(Buffer.concat(Array<Buffer>(100).fill(one)))
  let count = 0
  connection.subscribe(() => {
    if (++count > 64) throw new Error('cannot digest')
    const start = performance.now()
    if (count === 64) while (performance.now() < start + TURN_MS) continue
  })
  connection.onNotify()
  const { code, cause } = await connection.closed
  t.deepEqual([code, (cause?.cause as Error).message, count], ['ERR_HANDLER', 'cannot digest', 65])
})

test('a subscriber that fails when all has been told is warned of', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { connection } = overWith(one)
  const held = signal()
  connection.subscribe(async () => {
    await held.promise
    throw new RangeError('cannot digest')
  })
  connection.onNotify()
  t.deepEqual(await connection.closed, { code: 'OK' })
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  held.resolve()
  const warning = await warned
  t.is((warning as { readonly code?: unknown }).code, 'SYMPHONY_HANDLER_FAILED')
  t.regex(warning.message, /cannot digest/)
})

for (const how of ['an end that comes at once', 'the loss of its shard']) {
  test.serial(`${how} takes a parked connection out of its pool before observers hear that it has closed`, (t) => {
    const lone = new LoneConnection()
    const { connection } = lone
    const log: string[] = []
    const onClosed = (): void => void log.push('closed')
    subscribe('symphony-transport:connection.closed', onClosed)
    t.teardown(() => unsubscribe('symphony-transport:connection.closed', onClosed))
    t.is(
      connection.park((why) => log.push(why)),
      undefined,
    )
    if (how === 'the loss of its shard') {
      connection.onShardLost(new TransportError('ERR_SHARD_LOST', 'lost'))
    } else {
      lone.store(lane.IN_STATE, inState.ENDED)
      lone.store(lane.LIFE, life.CLOSED)
      connection.onNotify()
    }
    t.deepEqual(log, ['ended', 'closed'])
  })
}
