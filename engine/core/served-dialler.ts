/** Connects, and has a handler module serve the connection inside the shard that dials. */
import { LONGEST_TIMER_MS } from '../common/call-options.js'
import type { Ledger } from '../common/ledger.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { HandlerModuleSettings } from '../handling/handler-module-settings.js'
import { ModuleConnection } from '../handling/module-connection.js'
import { TransportError } from '../protocol/errors.js'
import type { WaitOptions } from '../protocol/waiter.js'
import type { DialAttempts } from './dial-attempts.js'
import type { TransportSettings } from './engine-settings.js'
import { nameOfRoute, type ResolvedEndpoint } from './resolved-endpoint.js'

interface ServedDialSettings {
  readonly settings: Pick<TransportSettings, 'memory' | 'connectTimeoutMs'>
  readonly connection: ConnectionSettings
  readonly module: HandlerModuleSettings
}

export class ServedDialler {
  readonly #attempts: DialAttempts
  readonly #ledger: Ledger
  readonly #initialRingBytes: number
  readonly #newId: () => number
  /** Also those whose module is being torn down. */
  readonly #open = new Set<ModuleConnection>()

  constructor(attempts: DialAttempts, ledger: Ledger, initialRingBytes: number, newId: () => number) {
    this.#attempts = attempts
    this.#ledger = ledger
    this.#initialRingBytes = initialRingBytes
    this.#newId = newId
  }

  /**
   * `timeoutMs` is for all of it, the module's set-up included.
   * @throws {TransportError} ERR_INVALID_ENDPOINT, if main is needed for the connection.
   */
  dial(
    { kind, text: endpoint, route }: ResolvedEndpoint,
    { settings, connection, module }: ServedDialSettings,
    { signal, timeoutMs: given }: WaitOptions,
  ): Promise<ModuleConnection> {
    if (route.via !== 'target') {
      const message = `${endpoint} is ${nameOfRoute(route.via)}, which the main thread attaches: no handler module can serve it in a shard. Call connect() without handler.`
      throw new TransportError('ERR_INVALID_ENDPOINT', message, { endpoint })
    }
    const { target } = route
    const { memory, connectTimeoutMs } = settings
    const timeoutMs = given ?? Math.min(connectTimeoutMs + module.setupTimeoutMs, LONGEST_TIMER_MS)
    const handshake = memory === 'none' ? undefined : { memory, timeoutMs, most: 1 }
    const what = { kind, endpoint, target, module, connection, handshake, timeoutMs }
    const request = { ...what, ledger: this.#ledger, initialRingBytes: this.#initialRingBytes }
    return this.#attempts.run(
      { kind, endpoint },
      { signal, timeoutMs },
      {
        dial: async (shard, attempt) => {
          const onStarted = (abort: () => void): void => attempt.stopBy(abort)
          const dialled = await ModuleConnection.dial(shard, { ...request, servedId: this.#newId(), onStarted })
          this.#open.add(dialled)
          void dialled.gone.then(() => this.#open.delete(dialled))
          return dialled
        },
        discard: (dialled) => dialled.destroy(),
      },
    )
  }

  /** What modules are at work on now: each settles once one is done with what has come. */
  settle(): readonly Promise<void>[] {
    return [...this.#open].map((connection) => connection.settle())
  }

  /** Has all that are open end. Resolves once none is left, and their modules were torn down. */
  async end(how: 'close' | TransportError): Promise<void> {
    const open = [...this.#open]
    for (const connection of open) {
      if (how === 'close') connection.closeWhenSettled()
      else connection.destroy(how)
    }
    await Promise.all(open.map((connection) => connection.gone))
  }
}
