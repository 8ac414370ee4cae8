/** A peer that is killed at any moment: what it had published arrives, then the end is told, and nothing stays. */
import test from 'ava'
import type { SurvivorReport } from '../../fixtures/shared-survivor.js'
import { ChildProgram } from '../../helpers/child-program.js'
import { byLength } from '../../helpers/length.js'
import { testSeed } from '../../helpers/random.js'
import { isSharedOnLinux } from '../../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const here = isSharedOnLinux ? test : test.skip

const seed = testSeed()
const ROUNDS = byLength({ short: 30, long: 50 })
/** So many connections there are at once. */
const AT_ONCE = 3

here('peers that are killed while frames go both ways, and some that end', async (t) => {
  const repeat = `SYMPHONY_SEED=${String(seed)} repeats this run`
  t.timeout(byLength({ short: 60_000, long: 170_000 }), repeat)
  t.log(repeat)
  const folder = await makeTemporaryFolder()
  const options = JSON.stringify({ wake: 'park', firstRingBytes: 4096, mostRingBytes: 131_072 })
  const survivor = ChildProgram.start('shared-survivor', [folder.path, options, String(seed), String(ROUNDS)])
  try {
    const early = JSON.parse(await survivor.next()) as SurvivorReport
    const late = JSON.parse(await survivor.next()) as SurvivorReport
    t.log(JSON.stringify(early))
    t.log(JSON.stringify(late))
    t.deepEqual([early.leaked, late.leaked, early.segments, late.segments], [0, 0, 0, 0])
    t.is(late.descriptors, early.descriptors)
    for (const { ranges } of [early, late]) t.true(ranges > 0 && ranges <= AT_ONCE, 'addresses are used again')
    t.true(Object.values(late.rounds).every((rounds) => rounds > 0))
    const { code, signal, stderr } = await survivor.exit
    t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
  } finally {
    survivor.kill('SIGKILL')
    await survivor.exit
    await folder.remove()
  }
})
