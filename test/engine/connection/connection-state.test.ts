/** How a connection ends: every state, and what each step makes of it. */
import test from 'ava'
import {
  leave,
  OPEN,
  transition,
  type ConnectionState,
  type ConnectionStep,
} from '../../../engine/connection/connection-state.js'
import { transition as outgoing, type OutgoingState } from '../../../engine/connection/outgoing-stream.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { intent } from '../../../engine/protocol/ring-layout.js'

const nothing = (): void => undefined
const another = (): void => undefined
const error = new TransportError('ERR_ABORTED', 'enough')

const closing: ConnectionState = { kind: 'closing', cancel: nothing }
const draining: ConnectionState = { kind: 'draining', cancel: nothing, isCloseAsked: false }
const asked: ConnectionState = { ...draining, isCloseAsked: true }
const cutting: ConnectionState = { kind: 'cutting' }
const destroying: ConnectionState = { kind: 'destroying', error }
const closed: ConnectionState = { kind: 'closed' }
const all = [OPEN, closing, draining, asked, cutting, destroying, closed]

/** What a step makes of each of `all`. */
function table(step: ConnectionStep): (ConnectionState | undefined)[] {
  return all.map((state) => transition(state, step))
}

test('close() begins an end, and is remembered where a process has ended', (t) => {
  const close = { kind: 'close', cancel: nothing } as const
  t.deepEqual(table(close), [closing, undefined, asked, asked, undefined, undefined, undefined])
})

test('a process that ends takes over from close(), once', (t) => {
  const drain = { kind: 'drain', cancel: nothing } as const
  t.deepEqual(table(drain), [draining, asked, undefined, undefined, undefined, undefined, undefined])
})

test('only the silence of a process cuts without a loss', (t) => {
  t.deepEqual(table({ kind: 'cut' }), [undefined, undefined, cutting, cutting, undefined, undefined, undefined])
})

test('everything but a closed connection can be destroyed, once', (t) => {
  const step = { kind: 'destroy', error } as const
  t.deepEqual(table(step), [destroying, destroying, destroying, destroying, destroying, undefined, undefined])
})

test('a connection is closed once', (t) => {
  t.deepEqual(table({ kind: 'finish' }), [closed, closed, closed, closed, closed, closed, undefined])
})

test('what a state waited for ends with it, unless the next one waits for the same', (t) => {
  let cancelled = 0
  const cancel = (): void => {
    cancelled++
  }
  leave({ kind: 'closing', cancel }, { kind: 'draining', cancel: another, isCloseAsked: true })
  t.is(cancelled, 1)
  leave({ kind: 'draining', cancel, isCloseAsked: false }, { kind: 'draining', cancel, isCloseAsked: true })
  t.is(cancelled, 1)
  leave({ kind: 'draining', cancel, isCloseAsked: false }, closed)
  t.is(cancelled, 2)
  leave(destroying, closed)
})

test('the outgoing side ends with the last word to the shard, and closes once', (t) => {
  const open: OutgoingState = { kind: 'open' }
  const ending: OutgoingState = { kind: 'ending', intent: intent.END }
  const endingAll: OutgoingState = { kind: 'ending', intent: intent.CLOSE }
  const ended: OutgoingState = { kind: 'ended', intent: intent.END }
  const over: OutgoingState = { kind: 'closed', error }
  const states = [open, ending, endingAll, ended, over]
  const after = (step: Parameters<typeof outgoing>[1]): OutgoingState[] => states.map((state) => outgoing(state, step))
  t.deepEqual(after({ kind: 'end' }), [ending, ending, endingAll, ended, over])
  t.deepEqual(after({ kind: 'end all' }), [endingAll, endingAll, endingAll, { ...ended, intent: intent.CLOSE }, over])
  t.deepEqual(after({ kind: 'flushed' }), [open, ended, { ...ended, intent: intent.CLOSE }, ended, over])
  t.deepEqual(after({ kind: 'close', error }), [over, over, over, over, over])
  t.is(outgoing(over, { kind: 'close', error: undefined }), over)
})
