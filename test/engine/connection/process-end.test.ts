/** How the end of a child process tells on its connection. */
import test from 'ava'
import type { AttachedProcess, ProcessExit } from '../../../engine/common/attached-process.js'
import { awaitLastWords, processFailure } from '../../../engine/connection/process-end.js'
import { TransportError, type TransportErrorCode } from '../../../engine/protocol/errors.js'
import { lane } from '../../../engine/protocol/ring-layout.js'
import { ManualClock } from '../../helpers/manual-clock.js'

const processOf = (stderrHead: string): AttachedProcess => ({
  pid: 2,
  exited: Promise.resolve({ exitCode: 0, signal: null }),
  stderrHead,
  endSoon: () => undefined,
  endNow: () => undefined,
})

const failed: ProcessExit = { exitCode: 3, signal: null }
const killed: ProcessExit = { exitCode: null, signal: 'SIGTERM' }
const done: ProcessExit = { exitCode: 0, signal: null }

function codeOf(exit: ProcessExit, code: TransportErrorCode | undefined): string {
  const error = code === undefined ? undefined : new TransportError(code, 'why the stream ended')
  return processFailure(exit, processOf(''), error, 'process:')?.code ?? 'OK'
}

test('a process that ended well leaves what its stream says', (t) => {
  t.is(codeOf(done, undefined), 'OK')
  t.is(codeOf(done, 'ERR_RESET'), 'ERR_RESET')
})

test('a process that failed is why its stream ended, or broke off', (t) => {
  for (const exit of [failed, killed]) t.is(codeOf(exit, undefined), 'ERR_EXIT')
  for (const exit of [failed, killed]) t.is(codeOf(exit, 'ERR_RESET'), 'ERR_EXIT')
  t.is(codeOf(failed, 'ERR_TRUNCATED'), 'ERR_EXIT')
})

test('what ended the stream before stays the reason', (t) => {
  t.is(codeOf(failed, 'ERR_HANDLER'), 'ERR_HANDLER')
  t.is(codeOf(killed, 'ERR_TIMEOUT'), 'ERR_TIMEOUT')
  // It lived on after it had broken off, and was ended for that.
  t.is(codeOf(killed, 'ERR_TRUNCATED'), 'ERR_TRUNCATED')
})

test('the error says how the process ended, and what it said', (t) => {
  const error = new TransportError('ERR_RESET', 'cut')
  const failure = processFailure(failed, processOf('no such file'), error, 'process:')
  t.is(failure?.message, 'the child process exited with code 3. It said: no such file')
  t.is(failure?.cause, error)
  t.is(failure?.endpoint, 'process:')
  t.is(processFailure(killed, processOf(''), undefined, 'process:')?.message, 'the child process was ended by SIGTERM.')
})

/** A lane whose process has ended, and what its end was told. `asShardTurns` is what the shard does in its turn. */
function lastWords(asShardTurns: (words: Map<number, number>) => void = () => undefined) {
  const words = new Map<number, number>()
  const clock = new ManualClock(() => true)
  const told: string[] = []
  const turned = async (): Promise<void> => {
    await Promise.resolve()
    asShardTurns(words)
  }
  const heard = {
    load: (word: number) => words.get(word) ?? 0,
    settings: { clock, closeTimeoutMs: 10 },
    host: { turned },
  }
  const cancel = awaitLastWords(heard, { onFull: () => told.push('full'), onSilent: () => told.push('silent') })
  /** Lets the time pass after which nobody says anything, and the shard have its turn. */
  const pass = async (): Promise<void> => {
    clock.advance(10)
    await new Promise(setImmediate)
  }
  return { words, told, clock, cancel, pass }
}

test('silence is the end of what a process has said', async (t) => {
  const { told, clock, pass } = lastWords()
  await pass()
  t.deepEqual([told, clock.armed], [['silent'], []])
})

test('bytes that come are waited for, also those that the shard reads in its turn', async (t) => {
  const arriving = [2, 3]
  const { told, words, pass } = lastWords((all) => {
    const tail = arriving.shift()
    if (tail !== undefined) all.set(lane.IN_TAIL, tail)
  })
  words.set(lane.IN_TAIL, 1)
  for (let i = 0; i < 3; i++) await pass()
  t.deepEqual(told, [])
  await pass()
  t.deepEqual(told, ['silent'])
})

test('a full lane is not silent, also if the shard says so only in its turn', async (t) => {
  const { told, words, clock, cancel, pass } = lastWords((all) => all.set(lane.IN_SPACE, 1))
  await pass()
  await pass()
  t.deepEqual([told, clock.armed], [['full', 'full'], [10]])
  words.set(lane.IN_SPACE, 0)
  clock.advance(10)
  cancel()
  await new Promise(setImmediate)
  t.deepEqual([told, clock.armed], [['full', 'full'], []])
})
