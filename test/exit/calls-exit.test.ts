/** Whether ports for calls keep a process alive. */
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'

const WATCHDOG_MS = 20_000

test.serial('ports without a pending call let the process end', async (t) => {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start('idle-calls', ['idle'])
  try {
    const { code, lines, stderr } = await child.exit
    t.deepEqual([code, lines, stderr], [0, ['double 2', 'empty'], ''])
  } finally {
    child.kill('SIGKILL')
  }
})

test.serial('a pending call keeps the process alive until it has its answer', async (t) => {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start('idle-calls', ['pending'])
  try {
    await child.line('double 2')
    await child.line('open')
    await child.proveAlive()
    child.tell('release')
    await child.line('released')
    const { code, lines, stderr } = await child.exit
    t.deepEqual([code, lines.at(-1), stderr], [0, 'empty', ''])
  } finally {
    child.kill('SIGKILL')
  }
})
