/** One suite for every transport: what `Transport`, `Listener` and `Connection` promise, whatever carries the bytes. */
import test from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { FailureBook } from '../helpers/failure-book.js'
import { failOnWarnings } from '../helpers/warnings.js'
import type { ContractTransport } from './contract.js'
import { runTest, testsOf } from './contract-run.js'
import { everyPart, type Part } from './parts.js'
import { StandingListeners } from './standing-listeners.js'

const WATCHDOG_MS = 20_000

export function transportContract(transport: ContractTransport, parts: readonly Part[] = everyPart): void {
  let shared: Engine | undefined
  const failures = new FailureBook()
  const pairs = new StandingListeners(transport, failures)

  failOnWarnings()

  test.serial.before('an engine starts', async () => {
    const { createEngine: create = createEngine } = transport
    shared = await create({ shards: 1, onError: failures.onError })
  })

  test.serial.after.always('everything that the suite opened was released', async (t) => {
    const reports = await Promise.all([shared?.close(), pairs.close()])
    for (const report of reports.flat()) t.is(report?.leaked, 0, JSON.stringify(report?.byKind))
  })

  for (const listed of testsOf(transport, parts)) {
    const declare = listed.applies ? test.serial : test.serial.skip
    declare(listed.title, async (t) => {
      t.timeout(WATCHDOG_MS)
      if (shared === undefined) throw new Error('the engine did not start')
      await runTest(t, listed, { transport, engine: shared, failures, pairs })
    })
  }
}
