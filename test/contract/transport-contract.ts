/** One suite for every transport: what `Transport`, `Listener` and `Connection` promise, whatever carries the bytes. */
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { FailureBook } from '../helpers/failure-book.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import type { Contract, ContractTest, ContractTransport } from './contract.js'
import { everyPart, type Part } from './parts.js'
import { StandingListeners } from './standing-listeners.js'
import { World } from './contract-world.js'

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

  const testIf =
    (applies: boolean): ContractTest =>
    (title, body) => {
      const declare = transport.supported && applies ? test.serial : test.serial.skip
      declare(title, async (t) => {
        t.timeout(WATCHDOG_MS)
        if (shared === undefined) throw new Error('the engine did not start')
        failures.take()
        const world = new World(transport, shared, failures, pairs)
        const open = openIn.bind(undefined, shared, pairs)
        const before = open()
        try {
          await body(t, world)
        } catch (error) {
          await pairs.renew()
          throw error
        } finally {
          await world.cleanUp()
        }
        // Aborted work ends a little later; anything left open for good runs into the watchdog.
        await until(() => isDeepStrictEqual(open(), before))
        t.deepEqual(open(), before, 'the test left something open')
        t.deepEqual(world.takeFailures(), [], 'a handler has failed')
      })
    }
  const contract: Contract = { transport, test: testIf(true), testIf }

  for (const part of parts) part(contract)
}

function openIn(engine: Engine, pairs: StandingListeners): object {
  const { connections, listeners, pendingConnects, ledger } = engine.stats()
  // The guardian of children is the engine's, from its first child to its end.
  const open = ledger.open - ledger.byKind.guardians.open
  return { connections, listeners, pendingConnects, open, pairs: pairs.open() }
}
