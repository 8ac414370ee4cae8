/** Listens with the module that tells what happens to it. */
import type { ExecutionContext } from 'ava'
import {
  createEngine,
  type Connection,
  type Engine,
  type EngineOptions,
  type HandlerListener,
  type HandlerListenOptions,
  type Transport,
  type TransportOptions,
} from '../../api/index.js'
import type { WitnessApi, WitnessData, WitnessHost } from '../fixtures/handlers/witness.js'
import { FailureBook } from './failure-book.js'
import { makeTemporaryFolder } from './temporary-folder.js'
import { signal } from './turns.js'

const WATCHDOG_MS = 15_000

export const witnessModule = new URL('../fixtures/handlers/witness.js', import.meta.url)

/** What the module calls on main. */
export class WitnessSteps implements WitnessHost {
  readonly steps: string[] = []
  readonly open = signal()

  readonly told = (step: string): void => void this.steps.push(step)
  readonly gate = (): Promise<void> => this.open.promise
  readonly add = (one: number, other: number): number => one + other
  readonly fail = (): never => {
    throw Object.assign(new RangeError('too far', { cause: new Error('the cause') }), { code: 'E_FAR' })
  }
}

export interface Witnessed {
  readonly transport: Transport
  readonly listener: HandlerListener<WitnessApi>
  readonly host: WitnessSteps
}

export async function witness(
  engine: Engine,
  endpoint: string,
  data: WitnessData = {},
  options: Omit<HandlerListenOptions, 'handler' | 'data' | 'host'> = {},
  transportOptions: TransportOptions = {},
): Promise<Witnessed> {
  const host = new WitnessSteps()
  const transport = engine.transport(endpoint, transportOptions)
  const listener = await transport.listen<WitnessApi>({ handler: witnessModule, data, host, ...options })
  return { transport, listener, host }
}

/** The functions that the module offers on a shard. */
export function apiOn(
  listener: HandlerListener<WitnessApi>,
  shard = 0,
): HandlerListener<WitnessApi>['handlers'][0]['api'] {
  const found = listener.handlers.find((handler) => handler.shard === shard)
  if (found === undefined) throw new Error(`the module does not serve on shard ${String(shard)}`)
  return found.api
}

interface Place {
  readonly engine: Engine
  /** An endpoint that every shard listens on. */
  readonly endpoint: string
  readonly failures: FailureBook
}

/** An engine and an endpoint for it; in the end nothing is leaked and no failure was told to the engine. */
export async function withWitnesses(
  t: ExecutionContext,
  body: (place: Place) => Promise<void>,
  options: EngineOptions = {},
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const failures = new FailureBook()
  const engine = await createEngine({ shards: 1, onError: failures.onError, ...options })
  const folder = await makeTemporaryFolder()
  try {
    await body({ engine, endpoint: folder.endpoint(), failures })
  } finally {
    const report = await engine.close({ graceMs: 0 })
    t.is(report.leaked, 0, JSON.stringify(report.byKind))
    t.deepEqual(failures.takeTold(), [])
    await folder.remove()
  }
}

/** Sends and receives one frame. */
export async function echoes(connection: Connection): Promise<string> {
  connection.send('ping')
  return String(await connection.receive())
}
