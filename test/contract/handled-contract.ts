/**
 * The contract of connections, with the accepting side in a handler module. Each test runs inside the shard that serves
 * its connections (test/fixtures/handlers/contract.ts); main listens for it, and looks at what is left.
 */
import test from 'ava'
import {
  createEngine,
  type Engine,
  type HandlerErrorContext,
  type HandlerListener,
  type TransportErrorCode,
  type TransportOptions,
} from '../../api/index.js'
import { FailureBook } from '../helpers/failure-book.js'
import { randomName } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { testsOf } from './contract-run.js'
import { handledSuites, type HandledSuite, type HandledSuiteName } from './handled-suites.js'

const WATCHDOG_MS = 20_000
const module = new URL('../fixtures/handlers/contract.js', import.meta.url)

/** What a listener with the module is for. */
export type ContractRole =
  | { readonly role: 'runner'; readonly suite: HandledSuiteName; readonly maxRingBytes: number | undefined }
  | { readonly role: 'listener' }

export type RunOutcome =
  | { readonly kind: 'passed' }
  /** The test needs an engine with these rings. */
  | { readonly kind: 'elsewhere'; readonly maxRingBytes: number | undefined }

interface ToldFailure {
  readonly code: TransportErrorCode
  readonly message: string
  readonly thrown: string
  readonly context: HandlerErrorContext
}

/** What main does for tests in a shard. */
export interface ContractHost {
  listen(endpoint: string, options: TransportOptions): Promise<void>
  unlisten(endpoint: string): Promise<void>
  takeFailures(): readonly ToldFailure[]
}

interface ContractApi {
  run(title: string): Promise<RunOutcome>
  close(): Promise<number>
}

/** An engine whose shard runs tests. */
class ShardUnderTest {
  readonly engine: Engine
  readonly #failures: FailureBook
  readonly #listeners = new Map<string, HandlerListener>()
  #runner: HandlerListener<ContractApi> | undefined

  private constructor(engine: Engine, failures: FailureBook) {
    this.engine = engine
    this.#failures = failures
  }

  static async start(suite: HandledSuiteName, maxRingBytes: number | undefined): Promise<ShardUnderTest> {
    const failures = new FailureBook()
    const engine = await createEngine({ shards: 1, maxRingBytes, onError: failures.onError })
    const shard = new ShardUnderTest(engine, failures)
    const data: ContractRole = { role: 'runner', suite, maxRingBytes }
    shard.#runner = await engine
      .transport(`memory:${randomName()}`)
      .listen<ContractApi>({ handler: module, data, host: shard.#host })
    return shard
  }

  async run(title: string): Promise<RunOutcome> {
    const outcome = await this.#api.run(title)
    // The test has ended its connections; what the shard has for them follows.
    await until(() => {
      const { shards, ledger } = this.engine.stats()
      const { connections, lanes, regions } = ledger.byKind
      return shards[0]?.handlers.connections === 0 && connections.open + lanes.open + regions.open === 0
    })
    return outcome
  }

  /** Returns what was leaked, on main and in the shard. */
  async close(): Promise<number> {
    const inShard = await this.#api.close()
    const { leaked } = await this.engine.close()
    return inShard + leaked
  }

  get #api(): HandlerListener<ContractApi>['handlers'][number]['api'] {
    const [handler] = this.#runner?.handlers ?? []
    if (handler === undefined) throw new Error('the module serves on no shard')
    return handler.api
  }

  readonly #host: ContractHost = {
    listen: async (endpoint, options) => {
      const data: ContractRole = { role: 'listener' }
      const listener = await this.engine.transport(endpoint, options).listen({ handler: module, data })
      this.#listeners.set(endpoint, listener)
    },
    unlisten: async (endpoint) => {
      await this.#listeners.get(endpoint)?.close()
      this.#listeners.delete(endpoint)
    },
    takeFailures: () =>
      this.#failures.take().map(({ error, context }) => {
        const { code, message, cause } = error
        return { code, message, thrown: cause instanceof Error ? cause.message : String(cause), context }
      }),
  }
}

export function handledContract(name: HandledSuiteName): void {
  const suite: HandledSuite = handledSuites[name]
  const shards = new Map<number | undefined, Promise<ShardUnderTest>>()
  const shardWith = (maxRingBytes: number | undefined): Promise<ShardUnderTest> => {
    const shard = shards.get(maxRingBytes) ?? ShardUnderTest.start(name, maxRingBytes)
    shards.set(maxRingBytes, shard)
    return shard
  }

  failOnWarnings()

  test.serial.after.always('everything that the suite opened was released', async (t) => {
    for (const shard of await Promise.all(shards.values())) t.is(await shard.close(), 0)
  })

  for (const { title, applies } of testsOf(suite.transport, suite.parts)) {
    const declare = applies ? test.serial : test.serial.skip
    declare(title, async (t) => {
      t.timeout(WATCHDOG_MS)
      let outcome = await (await shardWith(undefined)).run(title)
      if (outcome.kind === 'elsewhere') outcome = await (await shardWith(outcome.maxRingBytes)).run(title)
      t.is(outcome.kind, 'passed')
    })
  }
}
