/** One test of the contract, wherever it runs: what it opens is closed, and nothing is left open. */
import { isDeepStrictEqual } from 'node:util'
import type { ExecutionContext } from 'ava'
import type { Engine } from '../../api/index.js'
import { until } from '../helpers/turns.js'
import type { Contract, ContractTest, ContractTransport } from './contract.js'
import { World, type Failures, type Matchmaker } from './contract-world.js'
import type { Part } from './parts.js'

export interface ListedTest {
  readonly title: string
  /** False: of no meaning for this transport. */
  readonly applies: boolean
  readonly body: (t: ExecutionContext, world: World) => Promise<void>
}

export function testsOf(transport: ContractTransport, parts: readonly Part[]): readonly ListedTest[] {
  const tests: ListedTest[] = []
  const testIf =
    (applies: boolean): ContractTest =>
    (title, body) =>
      tests.push({ title, applies: applies && transport.supported, body })
  const contract: Contract = { transport, test: testIf(true), testIf }
  for (const part of parts) part(contract)
  return tests
}

/** Pairs through listeners that outlast a test. */
export interface StandingPairs extends Matchmaker {
  /** What the pairs hold. */
  open(): number
  /** They may have connections of a test that has failed: the next pairs come through new listeners. */
  renew(): Promise<void>
}

interface Place {
  readonly transport: ContractTransport
  readonly engine: Engine
  readonly failures: Failures
  readonly pairs: StandingPairs
}

export async function runTest(
  t: ExecutionContext,
  { body }: ListedTest,
  { transport, engine, failures, pairs }: Place,
): Promise<void> {
  await failures.take()
  const world = new World(transport, engine, failures, pairs)
  const open = openIn.bind(undefined, engine, pairs)
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
  t.deepEqual(await world.takeFailures(), [], 'a handler has failed')
}

function openIn(engine: Engine, pairs: StandingPairs): object {
  const { connections, listeners, pendingConnects, ledger } = engine.stats()
  // The guardian of children is the engine's, from its first child to its end.
  const open = ledger.open - ledger.byKind.guardians.open
  return { connections, listeners, pendingConnects, open, pairs: pairs.open() }
}
