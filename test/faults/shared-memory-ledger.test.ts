/** Compares what an engine shares with others, by its ledger, with what the operating system says of the process. */
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { byLength } from '../helpers/length.js'
import { canCountResources } from '../helpers/process-resources.js'
import { testSeed } from '../helpers/random.js'
import { canShareMemory } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 150_000
const CONNECTS = byLength({ short: 100, long: 1_000 })
/** Of each outcome: fewer, and it was not tried. */
const FEWEST = byLength({ short: 3, long: 20 })
/** A page of a ring or two. */
const MOST_SHARED_KIB = 256

failOnWarnings()

const seed = testSeed()
const declare = canCountResources && canShareMemory ? test.serial : test.serial.skip

declare(
  `after ${String(CONNECTS)} connects through shared memory nothing of it is left (seed ${String(seed)})`,
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const temporary = join(folder.path, 'temporary')
    fs.mkdirSync(temporary)
    const child = ChildProgram.start('ledger-of-shared-memory', [folder.path, String(CONNECTS), String(seed)], {
      env: { TMPDIR: temporary },
    })
    try {
      const { code, signal, lines, stderr } = await child.exit
      t.is(stderr, '')
      t.deepEqual([code, signal, lines.length, lines[1]], [0, null, 2, 'empty'])
      t.log(lines[0])
      const found = JSON.parse(lines[0] ?? '') as Record<string, unknown>
      for (const count of ['shared', 'aborted', 'killed']) t.true(Number(found[count]) >= FEWEST, count)
      t.deepEqual(found['open'], { connections: 0, segments: 0, mappings: 0, duplicates: 0, dials: 0 })
      t.like(found, { leaked: 0, segments: 0, inDevShm: 0, areAddressesBounded: true, temporary: [] })
      t.true(Number(found['descriptors']) <= 0, lines[0])
      t.true(Number(found['sharedKiB']) <= MOST_SHARED_KIB, lines[0])
    } finally {
      child.kill('SIGKILL')
      await folder.remove()
    }
  },
)
