/** The programs of examples/electron, as far as they run without Electron. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 60_000

/** A main process without windows. */
const main = `
import { ask } from './ask.js'
console.log(await ask(process.argv[2], 'hello'))
`

test('electron: the utility process answers the main process, and ends when it is told to', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const example = join(folder.path, 'app')
  try {
    await fs.cp(join(root, 'examples', 'electron'), example, { recursive: true })
    await fs.mkdir(join(example, 'node_modules'))
    await fs.symlink(root, join(example, 'node_modules', 'symphony-transport'), 'junction')
    await fs.writeFile(join(example, 'plain.js'), main)
    const port = new URL('../fixtures/parent-port.js', import.meta.url).href
    const utility = fork(join(example, 'utility.js'), { execArgv: ['--import', port] })
    const exited = once(utility, 'exit')
    try {
      const [endpoint] = (await once(utility, 'message')) as [string]
      const ended = await runToEnd(process.execPath, [join(example, 'plain.js'), endpoint], example, WATCHDOG_MS)
      t.deepEqual(ended, { end: 0, stdout: `process ${String(utility.pid)} got hello\n`, stderr: '' })
      utility.send('stop')
      t.deepEqual(await exited, [0, null])
    } finally {
      utility.kill('SIGKILL')
      await exited
    }
  } finally {
    await folder.remove()
  }
})
