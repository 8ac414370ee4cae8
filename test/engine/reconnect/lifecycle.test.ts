/** The life of a reconnecting connection: each state, and what each event makes of it. */
import test from 'ava'
import {
  deadlineOf,
  isWound,
  publicState,
  transition,
  type Intent,
  type Lifecycle,
  type LifecycleEvent,
} from '../../../engine/reconnect/lifecycle.js'

const cancel = (): void => undefined
const error = new Error('enough')
const stay: Intent = { kind: 'stay' }

const states = {
  fresh: { kind: 'fresh', intent: stay },
  queueing: { kind: 'queueing', intent: stay, cancel },
  pausing: { kind: 'pausing', intent: stay, cancel },
  connecting: { kind: 'connecting', intent: stay, cancel },
  connected: { kind: 'connected', intent: stay, current: 'first', outgoing: 'open' },
  lost: { kind: 'lost', intent: stay },
  destroying: { kind: 'destroying', current: 'first', error },
  closed: { kind: 'closed' },
} as const satisfies Record<string, Lifecycle<string>>

const events = {
  queue: { kind: 'step', to: 'queueing', cancel },
  pause: { kind: 'step', to: 'pausing', cancel },
  attempt: { kind: 'step', to: 'connecting', cancel },
  connected: { kind: 'connected', current: 'second' },
  drained: { kind: 'drained' },
  left: { kind: 'left' },
  lost: { kind: 'lost', by: 7 },
  end: { kind: 'end', by: 8 },
  close: { kind: 'close', by: 9 },
  destroyed: { kind: 'destroyed', error },
  finished: { kind: 'finished' },
} as const satisfies Record<string, LifecycleEvent<string>>

type Name = keyof typeof states

/** The kind that follows; what is not named changes nothing. */
const steps = { queue: 'queueing', pause: 'pausing', attempt: 'connecting', finished: 'closed' } as const
const table: Record<Name, Partial<Record<keyof typeof events, Name>>> = {
  fresh: { ...steps, end: 'fresh', close: 'fresh' },
  queueing: { ...steps, end: 'queueing', close: 'queueing' },
  pausing: { ...steps, end: 'pausing', close: 'pausing' },
  connecting: { ...steps, connected: 'connected', end: 'connecting', close: 'connecting' },
  connected: { lost: 'lost', end: 'connected', close: 'connected', destroyed: 'destroying', finished: 'closed' },
  lost: { ...steps, end: 'lost', close: 'lost' },
  destroying: { finished: 'closed' },
  closed: {},
}

for (const [name, state] of Object.entries<Lifecycle<string>>(states)) {
  for (const [what, event] of Object.entries<LifecycleEvent<string>>(events)) {
    const next = table[name as Name][what as keyof typeof events]
    test(`${name}: ${what} ${next === undefined ? 'changes nothing' : `makes it ${next}`}`, (t) => {
      const after = transition(state, event)
      if (next === undefined) t.is(after, state)
      else {
        t.not(after, state)
        t.is(after.kind, next)
      }
    })
  }
}

/** What follows a row of events. */
function after(...names: (keyof typeof events)[]): Lifecycle<string> {
  return names.reduce<Lifecycle<string>>((state, name) => transition(state, events[name]), states.fresh)
}

test('what its user sees follows from the state and from close()', (t) => {
  const seen = (state: Lifecycle<string>): string => publicState(state)
  t.deepEqual(Object.values<Lifecycle<string>>(states).map(seen), [
    'connecting',
    'waiting',
    'waiting',
    'connecting',
    'connected',
    'waiting',
    'closing',
    'closed',
  ])
  for (const way of [[], ['queue'], ['pause'], ['attempt'], ['attempt', 'connected']] as const) {
    t.is(seen(after(...way, 'close')), 'closing')
    t.is(seen(after(...way, 'end')), seen(after(...way)))
  }
})

test('what its user wants of it only moves down: to stay, to end, to close', (t) => {
  t.false(isWound(after('attempt')))
  t.true(isWound(after('attempt', 'end')))
  t.true(isWound(after('finished')))
  const ending = after('attempt', 'end')
  t.is(transition(ending, events.end), ending)
  const closing = transition(ending, events.close)
  t.is(publicState(closing), 'closing')
  t.is(transition(closing, events.end), closing)
  t.is(transition(closing, events.close), closing)
})

test('the time of end() runs while there is no connection, anew for each loss', (t) => {
  t.is(deadlineOf(after('pause')), undefined)
  t.is(deadlineOf(after('pause', 'end')), 8)
  t.is(deadlineOf(after('pause', 'end', 'attempt')), 8)
  const connected = after('attempt', 'end', 'connected')
  t.is(deadlineOf(connected), undefined)
  const lost = transition(connected, events.lost)
  t.is(deadlineOf(lost), undefined)
  t.is(deadlineOf(transition(lost, events.pause)), 7)
})

test('the time of close() is one for all, and stands still while a connection has all frames', (t) => {
  const connected = after('pause', 'close', 'attempt', 'connected')
  t.is(deadlineOf(connected), 9)
  const drained = transition(connected, events.drained)
  t.is(deadlineOf(drained), undefined)
  t.is(deadlineOf([events.lost, events.pause].reduce<Lifecycle<string>>(transition, drained)), 9)
  // Of an end() before it, if that runs already.
  t.is(deadlineOf(after('pause', 'end', 'close')), 8)
  t.is(deadlineOf(after('attempt', 'connected', 'end', 'close')), 9)
})

test('the outgoing side ends when it is to and all frames were given away, and has ended when they have left', (t) => {
  const connected = after('attempt', 'connected')
  t.is(transition(connected, events.drained), connected)
  const ending = [events.end, events.left, events.drained].reduce<Lifecycle<string>>(transition, connected)
  t.like(ending, { kind: 'connected', current: 'second', outgoing: 'ending' })
  const ended = transition(ending, events.left)
  t.like(ended, { outgoing: 'ended' })
  t.is(transition(ended, events.drained), ended)
})
