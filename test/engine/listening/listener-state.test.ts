/** The life of a listener, step by step. */
import test from 'ava'
import { nextState, type ListenerState, type ListenerStep } from '../../../engine/listening/listener-state.js'

const clean = { code: 'OK' } as const
const broken = { code: 'ERR_SHARD_LOST', cause: new Error('gone') } as const
const released: ListenerStep = { kind: 'released' }
const end = (info: typeof clean | typeof broken): ListenerStep => ({ kind: 'end', info })

function after(...steps: readonly ListenerStep[]): ListenerState {
  return steps.reduce<ListenerState>(nextState, { kind: 'open' })
}

test('an open listener closes, and is closed once nothing of it is left', (t) => {
  t.deepEqual(after(), { kind: 'open' })
  t.deepEqual(after(end(clean)), { kind: 'closing', info: clean })
  t.deepEqual(after(end(clean), released), { kind: 'closed', info: clean })
})

test('what ends it first says how it ended', (t) => {
  t.deepEqual(after(end(broken), end(clean)), { kind: 'closing', info: broken })
  t.deepEqual(after(end(clean), released, end(broken)), { kind: 'closed', info: clean })
})

test('nothing is released of a listener that is open, and a closed one stays closed', (t) => {
  t.deepEqual(after(released), { kind: 'open' })
  t.deepEqual(after(end(broken), released, released), { kind: 'closed', info: broken })
})
