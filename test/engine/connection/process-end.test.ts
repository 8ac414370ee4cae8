/** How the end of a child process tells on its connection. */
import test from 'ava'
import type { AttachedProcess, ProcessExit } from '../../../engine/common/attached-process.js'
import { processFailure } from '../../../engine/connection/process-end.js'
import { TransportError, type TransportErrorCode } from '../../../engine/protocol/errors.js'

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
