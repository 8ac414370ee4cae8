import test from 'ava'
import { ChildProgram } from '../../helpers/child-program.js'
import { canShareMemory } from '../../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const here = canShareMemory ? test : test.skip

here(
  'a borrowed frame that a handler keeps never crashes its process, whatever its addresses are used for',
  async (t) => {
    const folder = await makeTemporaryFolder()
    const program = ChildProgram.start('shared-kept-view', [folder.socketPath()], { nodeArgs: ['--expose-gc'] })
    try {
      await program.line('alive 0')
      const { code, signal, stderr } = await program.exit
      t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    } finally {
      program.kill('SIGKILL')
      await program.exit
      await folder.remove()
    }
  },
)
