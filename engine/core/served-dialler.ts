/** Connects, and has a handler module serve the connection inside the shard that dials. */
import type { ModuleDial } from '../handling/module-connection.js'
import { ModuleConnection } from '../handling/module-connection.js'
import type { TransportError } from '../protocol/errors.js'
import type { DialAttempts } from './dial-attempts.js'

type Request = Omit<ModuleDial, 'servedId' | 'onStarted'>

interface ServedWait {
  readonly signal?: AbortSignal | undefined
  /** For all of it, the module's set-up included, in milliseconds. */
  readonly timeoutMs: number
}

export class ServedDialler {
  readonly #attempts: DialAttempts
  readonly #newId: () => number
  /** Also those whose module is being torn down. */
  readonly #open = new Set<ModuleConnection>()

  constructor(attempts: DialAttempts, newId: () => number) {
    this.#attempts = attempts
    this.#newId = newId
  }

  dial(request: Request, wait: ServedWait): Promise<ModuleConnection> {
    return this.#attempts.run(request.endpoint, wait, {
      dial: async (shard, attempt) => {
        const onStarted = (abort: () => void): void => attempt.stopBy(abort)
        const connection = await ModuleConnection.dial(shard, { ...request, servedId: this.#newId(), onStarted })
        this.#open.add(connection)
        void connection.gone.then(() => this.#open.delete(connection))
        return connection
      },
      discard: (connection) => connection.destroy(),
    })
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
