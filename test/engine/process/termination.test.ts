/** The steps by which a child is ended, with a child that takes what it gets. */
import test from 'ava'
import {
  nextTermination,
  Termination,
  type TerminationEvent,
  type TerminationState,
} from '../../../engine/process/termination.js'
import { FakeClock } from '../../helpers/fake-clock.js'

const SETTINGS = { processGroup: false, terminateAfterMs: 100, killAfterMs: 1_000 }
/** No process has it. */
const PID = 0x7ffffff0

function create() {
  const clock = new FakeClock()
  const signals: unknown[] = []
  let references = 0
  const child = {
    ref: () => {
      references++
    },
    kill: (signal?: number | NodeJS.Signals) => {
      signals.push(signal)
      return true
    },
  }
  return { clock, signals, references: () => references, termination: new Termination(child, PID, SETTINGS, clock) }
}

test('a child whose stdin has ended gets SIGTERM after a while, and SIGKILL after another', (t) => {
  const { clock, signals, references, termination } = create()
  termination.advance('endSoon')
  termination.advance('endSoon')
  t.deepEqual([signals, clock.armed, references()], [[], 1, 1], 'the host waits for it')
  clock.advance(SETTINGS.terminateAfterMs)
  t.deepEqual(signals, ['SIGTERM'])
  clock.advance(SETTINGS.killAfterMs - 1)
  t.deepEqual(signals, ['SIGTERM'])
  clock.advance(1)
  t.deepEqual([signals, clock.armed], [['SIGTERM', 'SIGKILL'], 0])
})

test('a child whose time is over gets SIGTERM at once, and once', (t) => {
  const { clock, signals, termination } = create()
  termination.advance('endSoon')
  termination.advance('endNow')
  termination.advance('endNow')
  t.deepEqual([signals, clock.armed], [['SIGTERM'], 1])
  clock.advance(SETTINGS.killAfterMs)
  t.deepEqual([signals, clock.armed], [['SIGTERM', 'SIGKILL'], 0])
})

test('a child that has exited gets nothing more', async (t) => {
  const { clock, signals, termination } = create()
  termination.advance('endSoon')
  await termination.onExit()
  t.is(clock.armed, 0)
  termination.advance('endNow')
  termination.kill()
  t.deepEqual([signals, clock.armed], [[], 0])
})

test('every state takes every event', (t) => {
  const table: Record<TerminationState, Record<TerminationEvent, TerminationState>> = {
    running: { endSoon: 'asked', endNow: 'terminating', timer: 'running', exit: 'exited' },
    asked: { endSoon: 'asked', endNow: 'terminating', timer: 'terminating', exit: 'exited' },
    terminating: { endSoon: 'terminating', endNow: 'terminating', timer: 'killing', exit: 'exited' },
    killing: { endSoon: 'killing', endNow: 'killing', timer: 'killing', exit: 'exited' },
    exited: { endSoon: 'exited', endNow: 'exited', timer: 'exited', exit: 'exited' },
  }
  for (const [state, row] of Object.entries(table) as [
    TerminationState,
    Record<TerminationEvent, TerminationState>,
  ][]) {
    for (const [event, next] of Object.entries(row) as [TerminationEvent, TerminationState][]) {
      t.is(nextTermination(state, event), next, `${state}, ${event}`)
    }
  }
})
