/** What becomes of connections that a shard offers to others, with a main that is the test. */
import test from 'ava'
import { MOST_TICKETS_OF_MAIN } from '../../../engine/internals/descriptor-channel.js'
import { Surplus } from '../../../workers/accepting/surplus.js'
import { turns } from '../../helpers/turns.js'

const LISTENER = 7
const MANY = 1_000

interface Told {
  readonly listenerId: number
  readonly tickets: readonly number[]
  readonly answer: (kept: readonly number[]) => void
}

class Stage {
  isAhead = true
  leaves = true
  offered = 0
  answered = 0
  readonly told: Told[] = []
  readonly sent: number[] = []
  /** By their names, in order. */
  readonly kept: string[] = []
  readonly closed: string[] = []
  readonly descriptors = {
    onReplaced: (): void => undefined,
    send: (ticket: number): Promise<boolean> => {
      this.sent.push(ticket)
      return Promise.resolve(this.leaves)
    },
  }
  readonly surplus = new Surplus(
    {
      wouldBeAhead: () => this.isAhead,
      offered: () => {
        this.offered++
      },
      answered: () => {
        this.answered++
      },
    },
    this.descriptors,
    {
      handOn: (listenerId, tickets) =>
        new Promise((resolve) => this.told.push({ listenerId, tickets, answer: resolve })),
    },
  )

  offer(name: string, { listenerId = LISTENER, most = MANY, hasHandle = true } = {}): boolean {
    const handle = { fd: 1_000, close: () => undefined }
    const peer = {
      ...(hasHandle ? { handle } : {}),
      adopt: () => {
        throw new Error('nobody adopts it here')
      },
      reject: () => void this.closed.push(name),
    }
    return this.surplus.offer(listenerId, peer, { most, isServed: true }, () => this.kept.push(name))
  }

  /** All that main was told of is the shard's to keep, or another's. */
  async answer(keeps: boolean): Promise<void> {
    await turns(2)
    for (const { tickets, answer } of this.told.splice(0)) answer(keeps ? tickets : [])
    await turns(2)
  }
}

test('a shard that has no more than its share offers nothing', (t) => {
  const stage = new Stage()
  stage.isAhead = false
  t.false(stage.offer('a'))
  t.deepEqual(stage.sent, [])
})

test('what cannot be sent to another thread stays', (t) => {
  t.false(new Stage().offer('a', { hasHandle: false }))
})

test('main is told at once of all that one turn has brought, by listener', async (t) => {
  const stage = new Stage()
  t.true(stage.offer('a'))
  t.true(stage.offer('b', { listenerId: 8 }))
  t.true(stage.offer('c'))
  await turns(2)
  const [a, b, c] = stage.sent
  t.deepEqual(
    stage.told.map(({ listenerId, tickets }) => [listenerId, tickets]),
    [
      [LISTENER, [a, c]],
      [8, [b]],
    ],
  )
  t.true(
    stage.sent.every((ticket) => ticket > MOST_TICKETS_OF_MAIN),
    'no ticket is one of main',
  )
})

test('a connection that another shard has taken is closed here, and one that it has not is kept', async (t) => {
  const stage = new Stage()
  stage.offer('a')
  stage.offer('b')
  await turns(2)
  t.deepEqual([stage.offered, stage.answered], [2, 0])
  t.deepEqual([stage.kept, stage.closed], [[], []], 'both are held until main has answered')
  const [told] = stage.told
  told?.answer(told.tickets.slice(1))
  await turns(2)
  t.deepEqual([stage.kept, stage.closed], [['b'], ['a']])
  t.is(stage.answered, 2)
})

test('a connection that could not be sent is kept', async (t) => {
  const stage = new Stage()
  stage.leaves = false
  t.true(stage.offer('a'))
  await turns(2)
  t.deepEqual([stage.kept, stage.told, stage.answered], [['a'], [], 1])
})

test('a listener that is closed takes its offers with it, whatever main answers later', async (t) => {
  const stage = new Stage()
  stage.offer('a')
  stage.offer('b', { listenerId: 8 })
  await turns(2)
  stage.surplus.closeAllOf(LISTENER)
  t.deepEqual(stage.closed, ['a'])
  await stage.answer(true)
  t.deepEqual([stage.kept, stage.closed, stage.answered], [['b'], ['a'], 2])
})

test('offers over a channel that was replaced are given up', async (t) => {
  const stage = new Stage()
  stage.offer('a')
  await turns(2)
  stage.descriptors.onReplaced()
  t.deepEqual([stage.closed, stage.answered], [['a'], 1])
})

test('no more are offered at a time than may wait to be taken', async (t) => {
  const stage = new Stage()
  t.true(stage.offer('a', { most: 2 }))
  t.true(stage.offer('b', { most: 2 }))
  t.false(stage.offer('c', { most: 2 }))
  await stage.answer(false)
  t.true(stage.offer('d', { most: 2 }))
})

test('the more come back, the fewer are offered, until one is taken', async (t) => {
  const stage = new Stage()
  const skipped = async (keeps: boolean): Promise<number> => {
    let count = 0
    while (!stage.offer('x')) count++
    await stage.answer(keeps)
    return count
  }
  const counts: number[] = []
  for (let i = 0; i < 9; i++) counts.push(await skipped(true))
  t.deepEqual(counts, [0, 1, 2, 4, 8, 16, 32, 64, 64])
  await skipped(false)
  t.is(await skipped(true), 0)
})
