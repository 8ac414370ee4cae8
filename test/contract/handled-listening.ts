/**
 * What listeners with a handler module promise over every transport, as main and its peers see it. The tests of
 * connections run inside the shard instead: handled-contract.ts.
 */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { FailureBook } from '../helpers/failure-book.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import type { ContractTransport } from './contract.js'
import { handledConnectionTests } from './handled-connections.js'
import { handledEndTests } from './handled-end.js'
import { handledListenerTests } from './handled-listeners.js'
import { HandledWorld } from './handled-world.js'

const WATCHDOG_MS = 20_000

export type HandledTest = (title: string, body: (t: ExecutionContext, world: HandledWorld) => Promise<void>) => void

export interface HandledTests {
  readonly transport: ContractTransport
  readonly test: HandledTest
  /** A test that is skipped unless this holds of the transport. */
  readonly testIf: (applies: boolean) => HandledTest
}

export function handledListening(transport: ContractTransport): void {
  let shared: Engine | undefined
  const failures = new FailureBook()

  failOnWarnings()

  test.serial.before('an engine starts', async () => {
    shared = await createEngine({ shards: 1, onError: failures.onError })
  })

  test.serial.after.always('everything that the suite opened was released', async (t) => {
    const report = await shared?.close()
    t.is(report?.leaked, 0, JSON.stringify(report?.byKind))
  })

  const testIf =
    (applies: boolean): HandledTest =>
    (title, body) => {
      const declare = transport.supported && applies ? test.serial : test.serial.skip
      declare(title, async (t) => {
        t.timeout(WATCHDOG_MS)
        if (shared === undefined) throw new Error('the engine did not start')
        const engine = shared
        failures.take()
        const world = new HandledWorld(transport, engine, failures)
        try {
          await body(t, world)
        } finally {
          await world.cleanUp()
        }
        // The modules are torn down after the last connection; what is never released runs into the watchdog.
        await until(() => {
          const { byKind, open } = engine.stats().ledger
          return open === byKind.shards.open + byKind.descriptors.open
        })
        t.deepEqual(failures.take(), [], 'a handler has failed')
      })
    }
  const tests: HandledTests = { transport, test: testIf(true), testIf }
  handledListenerTests(tests)
  handledConnectionTests(tests)
  handledEndTests(tests)
}
