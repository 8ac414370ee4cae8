/** Compares the engine's ledger with what the operating system counts, after connects, aborts and deaths together. */
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { byLength } from '../helpers/length.js'
import { canCountResources } from '../helpers/process-resources.js'
import { testSeed } from '../helpers/random.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 150_000
const DEATHS = byLength({ short: 15, long: 45 })
/** Connects, about 22 for each death, and deaths. */
const TRIALS = byLength({ short: 340, long: 1_000 })
/** Of each outcome: fewer, and it was not tried. */
const FEWEST = byLength({ short: 5, long: 20 })
/** What the allocator may keep to itself; most of a ring is never touched, so this shows only gross leaks. */
const MOST_RSS_MIB = 96
/** Heap and buffers: 45 lives of shards with a mebibyte of rings each, of which none may stay. */
const MOST_OWN_MIB = 8

failOnWarnings()

const seed = testSeed()
const declare = canCountResources ? test.serial : test.serial.skip

declare(
  `after ${String(TRIALS)} connects, aborts and deaths the system holds what it held before (seed ${String(seed)})`,
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const child = ChildProgram.start('ledger-of-faults', [folder.path, String(DEATHS), String(seed)], {
      nodeArgs: ['--expose-gc'],
    })
    try {
      const { code, signal, lines, stderr } = await child.exit
      t.is(stderr, '')
      t.deepEqual([code, signal, lines.length, lines[1]], [0, null, 2, 'empty'])
      const found = JSON.parse(lines[0] ?? '') as Record<string, number>
      t.log(lines[0])
      const { connects = 0, connected = 0, aborted = 0, lost = 0 } = found
      t.true(connects + DEATHS >= TRIALS)
      for (const count of [connected, aborted, lost]) t.true(count >= FEWEST, lines[0])
      const { leaked, threads, descriptors, children, files } = found
      t.deepEqual(
        { leaked, threads, descriptors, children, files },
        { leaked: 0, threads: 0, descriptors: 0, children: 0, files: 0 },
      )
      t.true((found['oursMiB'] ?? Infinity) <= MOST_OWN_MIB, lines[0])
      t.true((found['rssMiB'] ?? Infinity) <= MOST_RSS_MIB, lines[0])
    } finally {
      child.kill('SIGKILL')
      await folder.remove()
    }
  },
)
