/** A short fault campaign. `npm run perf -- chaos` is the long one. */
import test from 'ava'
import { planFaults, targetNames } from '../../perf/chaos/plan.js'
import { chaosLines } from '../../perf/report/chaos-lines.js'
import { runChaos } from '../../perf/scenarios/chaos.js'
import { byLength } from '../helpers/length.js'
import { testSeed } from '../helpers/random.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 400_000
/** Time for one fault; one that hangs exceeds it. */
const FAULT_WATCHDOG_MS = 90_000
/** 84 are a round of the plan, in which nearly every kind happens to every target; a seed draws which come first. */
const FAULTS = byLength({ short: 24, long: 48 })

failOnWarnings()

const seed = testSeed()
const declare = process.platform === 'win32' ? test.serial.skip : test.serial

test('a seed draws the same faults each time, and another seed others', (t) => {
  const plan = planFaults(seed, FAULTS, targetNames)
  t.deepEqual(planFaults(seed, FAULTS, targetNames), plan)
  t.deepEqual(planFaults(seed, FAULTS / 2, targetNames), plan.slice(0, FAULTS / 2))
  t.notDeepEqual(planFaults(seed + 1, FAULTS, targetNames), plan)
})

declare(`every fault is survived, every frame is accounted for, nothing leaks (seed ${String(seed)})`, async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const report = await runChaos({
      seed,
      faults: FAULTS,
      targets: targetNames,
      folder: folder.path,
      watchdogMs: FAULT_WATCHDOG_MS,
    })
    t.log(chaosLines(report).join('\n'))
    t.deepEqual(report.failures, [])
    t.is(report.recovered, FAULTS)
    const counts = report.host?.counts
    // The campaign proves nothing if nothing was lost or nothing went through.
    t.true(counts !== undefined && counts.losses >= FAULTS / 2 && counts.echoed > counts.sent / 2)
  } finally {
    await folder.remove()
  }
})
