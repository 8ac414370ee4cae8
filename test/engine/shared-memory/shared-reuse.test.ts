/** What main knows of a peer without having been woken: what lies in the segment by now counts. */
import test from 'ava'
import type { LaneConnection } from '../../../engine/connection/lane-connection.js'
import { SharedPair } from '../../helpers/shared-pair.js'
import { turns } from '../../helpers/turns.js'

/** Nothing of it may have been notified when `use` looks: it must not let the event loop turn first. */
async function withPair(use: (dialled: LaneConnection, accepted: LaneConnection) => Promise<void>): Promise<number> {
  const pair = await SharedPair.connect()
  try {
    await use(pair.dialled, pair.accepted)
  } finally {
    await pair.close()
  }
  return pair.ledger.report().leaked
}

test('a connection that nobody uses is fit for the next user until its peer sends something or ends', async (t) => {
  for (const [expected, act] of [
    ['unread', (peer: LaneConnection) => void peer.send('late')],
    ['ended', (peer: LaneConnection) => void peer.end()],
    ['ended', (peer: LaneConnection) => peer.destroy()],
  ] as const) {
    const leaked = await withPair(async (dialled, accepted) => {
      t.is(
        dialled.park(() => t.fail('main has not been woken')),
        undefined,
      )
      t.is(dialled.checkout(), undefined)
      act(accepted)
      // What was sent leaves at the end of this microtask.
      await Promise.resolve()
      t.is(dialled.checkout(), expected)
    })
    t.is(leaked, 0)
  }
})

test('a connection that nobody uses and whose peer sends something is told unfit at once', async (t) => {
  const leaked = await withPair(async (dialled, accepted) => {
    const unfit = new Promise((resolve) => t.is(dialled.park(resolve), undefined))
    await turns(2)
    accepted.send('')
    t.is(await unfit, 'unread')
  })
  t.is(leaked, 0)
})

test('a frame that lies in the segment when handlers are waited for has its handler waited for', async (t) => {
  const leaked = await withPair(async (dialled, accepted) => {
    let worked = ''
    dialled.subscribe(async (frame) => {
      await turns(3)
      worked = String(frame)
    })
    await turns(2)
    accepted.send('work')
    await Promise.resolve()
    await dialled.settle()
    t.is(worked, 'work')
  })
  t.is(leaked, 0)
})
