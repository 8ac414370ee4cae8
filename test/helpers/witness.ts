/** Listens with the module that tells what happens to it. */
import type { Engine, HandlerListener, HandlerListenOptions, Transport, TransportOptions } from '../../api/index.js'
import type { WitnessApi, WitnessData, WitnessHost } from '../fixtures/handlers/witness.js'
import { makeTemporaryFolder } from './temporary-folder.js'
import { signal } from './turns.js'

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

/** An endpoint that every shard of an engine listens on; remove its folder at the end. */
export async function socketEndpoint(): Promise<{ readonly endpoint: string; remove(): Promise<void> }> {
  const folder = await makeTemporaryFolder()
  return { endpoint: folder.endpoint(), remove: () => folder.remove() }
}
