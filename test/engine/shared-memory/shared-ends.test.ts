/** How connections over a segment end: what the other end sees of each way. */
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import { receiveToEnd } from '../../helpers/frames.js'
import { SharedPair } from '../../helpers/shared-pair.js'
import { turns } from '../../helpers/turns.js'

const halfOpen = { settings: { allowHalfOpen: true } }

async function withPair(use: (pair: SharedPair) => Promise<void>, options = {}): Promise<number> {
  const pair = await SharedPair.connect(options)
  try {
    await use(pair)
  } finally {
    await pair.close()
  }
  return pair.ledger.report().leaked
}

test('a peer that has read all and is destroyed ends the stream, as over a socket', async (t) => {
  const leaked = await withPair(async ({ dialled, accepted }) => {
    accepted.send('read')
    t.is(String(await dialled.receive()), 'read')
    dialled.send('last')
    await turns(2)
    dialled.destroy()
    t.deepEqual((await receiveToEnd(accepted)).map(String), ['last'])
    t.deepEqual(await accepted.closed, { code: 'OK' })
    t.is((await dialled.closed).code, 'ERR_ABORTED')
  })
  t.is(leaked, 0)
})

for (const borrow of [false, true]) {
  const how = borrow ? 'borrows' : 'keeps'
  test(`a peer that is destroyed by the handler that ${how} the last frame has read all`, async (t) => {
    const leaked = await withPair(async ({ dialled, accepted }) => {
      const frames: string[] = []
      dialled.subscribe(
        (frame) => {
          dialled.send('last')
          if (String(frame) === 'go') dialled.destroy()
          frames.push(String(frame))
        },
        { borrow },
      )
      accepted.send('ready')
      t.is(String(await accepted.receive()), 'last')
      accepted.send('go')
      t.is(await accepted.receive(), undefined)
      t.deepEqual(await accepted.closed, { code: 'OK' })
      t.deepEqual(frames, ['ready', 'go'])
    })
    t.is(leaked, 0)
  })
}

test('a peer that is destroyed before it has read all resets the connection, behind what it had sent', async (t) => {
  const leaked = await withPair(async ({ dialled, accepted }) => {
    accepted.send('unread')
    dialled.send('last')
    await turns(2)
    dialled.destroy()
    t.is(String(await accepted.receive()), 'last')
    const error: unknown = await accepted.receive().catch((reason: unknown) => reason)
    t.true(error instanceof TransportError && error.code === 'ERR_RESET')
    t.is((await accepted.closed).code, 'ERR_RESET')
  })
  t.is(leaked, 0)
})

test('a peer that is destroyed inside a frame has cut it off', async (t) => {
  const leaked = await withPair(async ({ dialled, accepted }) => {
    const received = accepted.receive()
    dialled.send(Buffer.alloc(40_000_000))
    await turns(2)
    dialled.destroy()
    const error: unknown = await received.catch((reason: unknown) => reason)
    t.true(error instanceof TransportError && error.code === 'ERR_TRUNCATED', String(error))
  })
  t.is(leaked, 0)
})

test('a half-open end whose peer was destroyed finds out when it sends', async (t) => {
  const leaked = await withPair(async ({ dialled, accepted }) => {
    dialled.destroy()
    t.is(await accepted.receive(), undefined)
    await turns(2)
    accepted.send('into the void')
    t.is((await accepted.closed).code, 'ERR_RESET')
  }, halfOpen)
  t.is(leaked, 0)
})
