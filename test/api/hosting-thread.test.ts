/** An engine that a thread of the host's creates, and that thread's end. */
import { once } from 'node:events'
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { byLength } from '../helpers/length.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
const ROUNDS = byLength({ short: 4, long: 8 })
const FILES = 2_000

failOnWarnings()

test.serial('an engine listens in a thread, whose end closes none of the files that others have opened', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = `${folder.path}/file`
  fs.writeFileSync(path, '')
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const thread = new Worker(new URL('../fixtures/hosting-thread.js', import.meta.url), {
        workerData: folder.endpoint(),
      })
      t.deepEqual(await once(thread, 'message'), ['there, leaked 0'])
      // They get all numbers that the engine had and has closed.
      const files = Array.from({ length: FILES }, () => fs.openSync(path, 'r'))
      try {
        if (round % 2 === 0) await thread.terminate()
        else {
          const ended = once(thread, 'exit')
          thread.postMessage('end')
          t.deepEqual(await ended, [0])
        }
        t.notThrows(() => {
          for (const file of files) fs.fstatSync(file)
        })
      } finally {
        for (const file of files) fs.close(file, () => undefined)
      }
    }
  } finally {
    await folder.remove()
  }
})
