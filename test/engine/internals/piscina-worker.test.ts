/** What the pinned version of Piscina must have. */
import test from 'ava'
import { referenceOf } from '../../../engine/internals/piscina-worker.js'
import { ChildProgram } from '../../helpers/child-program.js'

const WATCHDOG_MS = 30_000

test("a worker's record drops the reference that keeps the process alive while a task runs", async (t) => {
  t.timeout(WATCHDOG_MS)
  const program = ChildProgram.start('endless-task')
  try {
    const { code, signal, lines, stderr } = await program.exit
    t.deepEqual([code, signal, lines], [0, null, ['reference']], stderr)
  } finally {
    program.kill('SIGKILL')
  }
})

test('a worker whose record is elsewhere, or is another one, has no such reference', (t) => {
  t.is(referenceOf({}), undefined)
  t.is(referenceOf({ [Symbol('Piscina.kWorkerData')]: null }), undefined)
  t.is(referenceOf({ [Symbol('Piscina.kWorkerData')]: { unref: () => undefined } }), undefined)
})
