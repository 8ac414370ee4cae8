/** Connections that do nothing: a run counts what each has carried, at both ends. */
import test from 'ava'
import { transports } from '../../perf/harness/meeting-place.js'
import { canCountResources } from '../../perf/harness/resource-counts.js'
import { runMemory } from '../../perf/scenarios/memory.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000

test('a run has all bytes of all connections at both ends, and figures over how many there are', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const connections = [3, 5]
    const plan = { folder: folder.path, transports, connections, burstBytes: 4_096, settleMs: 0, watchMs: 1 }
    const reports = await runMemory(plan)
    t.deepEqual(
      reports.map((report) => report.connections),
      connections,
    )
    for (const { rows, figures, connections: count } of reports) {
      t.is(rows.length, 2 * (1 + transports.length))
      for (const { verified, descriptors, stack, ringBytesInUse } of rows) {
        t.true(verified)
        t.is(descriptors === undefined || descriptors >= 1, true)
        t.is(descriptors !== undefined, canCountResources)
        if (stack === 'engine') t.true(ringBytesInUse > 0)
      }
      for (const { at, isBaseline, contender } of figures) {
        t.is(at['connections'], count)
        t.is(isBaseline, contender === 'net')
      }
    }
  } finally {
    await folder.remove()
  }
})
