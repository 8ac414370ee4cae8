/** One suite for every transport: what is promised when worker threads die, whatever carries the bytes. */
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine, type EngineOptions } from '../../api/index.js'
import type { ContractTransport } from '../contract/contract.js'
import { World } from '../contract/contract-world.js'
import { everyFault, failBoots, faultyOptions, type Fault } from '../helpers/faults.js'
import { byLength } from '../helpers/length.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { closingTests } from './closing.js'
import { connectionTests } from './connections.js'
import { outlivingTests } from './outliving.js'
import { restoredTests } from './restored.js'
import { survivorTests } from './survivors.js'

const WATCHDOG_MS = 20_000

export interface FaultTarget extends ContractTransport {
  /** True: once it is there, a connection needs no shard any more. Default false. */
  readonly outlivesShards?: boolean
}

export interface FaultSuite {
  readonly transport: FaultTarget
  readonly faults: readonly Fault[]
  /** An engine of its own for each test; whatever happened to it, it closes and has then released everything. */
  readonly test: (
    title: string,
    options: EngineOptions,
    body: (t: ExecutionContext, world: World, engine: Engine) => Promise<void>,
  ) => void
}

/**
 * The ways to die that a transport is tried with: each takes time. At the short length each happens on one transport;
 * for one that differs only in its address a single one is enough.
 */
export const faultsOf: Readonly<Record<'unix' | 'memory' | 'abstract' | 'shared' | 'fallenBack', readonly Fault[]>> = {
  unix: byLength({ short: ['exit', 'memory', 'stuck'], long: everyFault }),
  // The only transport with this suite on Windows.
  memory: process.platform === 'win32' ? everyFault : byLength({ short: ['throw', 'rejection'], long: everyFault }),
  abstract: ['exit'],
  shared: byLength({ short: ['exit', 'stuck'], long: everyFault }),
  fallenBack: byLength({ short: ['rejection'], long: everyFault }),
}

export function faultSuite(transport: FaultTarget, faults: readonly Fault[]): void {
  const declare = transport.supported ? test.serial : test.serial.skip

  failOnWarnings()

  const suite: FaultSuite = {
    transport,
    faults,
    test(title, options, body) {
      declare(title, async (t) => {
        t.timeout(WATCHDOG_MS)
        const engine = await createEngine({ ...faultyOptions(), shards: 1, ...options })
        const world = new World(transport, engine)
        try {
          await body(t, world, engine)
        } finally {
          failBoots(undefined)
          const { leaked, byKind } = await engine.close({ graceMs: 0 })
          t.is(leaked, 0, JSON.stringify(byKind))
          await world.cleanUp()
        }
      })
    },
  }

  if (transport.outlivesShards === true) outlivingTests(suite)
  else connectionTests(suite)
  survivorTests(suite)
  restoredTests(suite)
  if (faults.includes('stuck')) closingTests(suite)
}
