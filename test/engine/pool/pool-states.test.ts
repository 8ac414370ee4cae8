/** The life of a pool and of its connections: each state, and what may follow it. */
import test from 'ava'
import { GrantedLease } from '../../../engine/pool/lease.js'
import { transition as memberTransition, type MemberState } from '../../../engine/pool/pool-member.js'
import { OPEN, transition, type PoolEvent, type PoolState } from '../../../engine/pool/pool-state.js'
import { TransportError } from '../../../engine/protocol/errors.js'

const nothing = (): void => undefined
const error = new TransportError('ERR_POOL_CLOSED', 'closed')
const close: PoolEvent = { kind: 'close', error, cancelCut: nothing }
const emptied: PoolEvent = { kind: 'emptied' }

test('a pool is open until it is closed, closing until it is empty, and closed for good', (t) => {
  t.is(transition(OPEN, emptied), OPEN)
  const closing = transition(OPEN, close)
  t.deepEqual(closing, { kind: 'closing', error, cancelCut: nothing })
  const other = new TransportError('ERR_POOL_CLOSED', 'again')
  t.is(transition(closing, { ...close, error: other }), closing)
  const closed: PoolState = transition(closing, emptied)
  t.deepEqual(closed, { kind: 'closed', error })
  t.is(transition(closed, close), closed)
  t.is(transition(closed, emptied), closed)
})

type Kind = MemberState<unknown>['kind']

const lender = { endpoint: 'fake:', present: nothing, released: nothing, destroyed: nothing }
const states: Record<Kind, MemberState<unknown>> = {
  between: { kind: 'between' },
  idle: { kind: 'idle' },
  validating: { kind: 'validating', stop: nothing },
  leased: { kind: 'leased', lease: new GrantedLease<unknown>(lender), cancelLeakTimer: undefined },
  gone: { kind: 'gone' },
}

const next: Record<Kind, readonly Kind[]> = {
  between: ['idle', 'validating', 'leased', 'gone'],
  idle: ['between', 'gone'],
  validating: ['between', 'gone'],
  leased: ['between', 'gone'],
  gone: [],
}

for (const [from, state] of Object.entries(states)) {
  for (const [to, wanted] of Object.entries(states)) {
    const may = next[from as Kind].includes(to as Kind)
    test(`a connection that is ${from} ${may ? 'may become' : 'does not become'} ${to}`, (t) => {
      t.is(memberTransition(state, wanted), may ? wanted : state)
    })
  }
}
