import test from 'ava'
import { ChildProgram } from '../../helpers/child-program.js'
import { canShareMemory } from '../../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const here = canShareMemory ? test : test.skip

here('a connection whose peer is gone keeps the process alive until it ends, or may not', async (t) => {
  const folder = await makeTemporaryFolder()
  const program = ChildProgram.start('shared-half-open', [folder.socketPath()])
  try {
    await program.line('shared undefined')
    await program.line('half open')
    await program.proveAlive()
    program.tell('release')
    await program.line('released')
    const { code, signal, stderr } = await program.exit
    t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
  } finally {
    program.kill('SIGKILL')
    await program.exit
    await folder.remove()
  }
})
