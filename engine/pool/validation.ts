/** One run of a pool's `validate`, which may throw, reject, return anything, or never settle. */
import { handlerError } from '../common/handler-failures.js'
import { TransportError } from '../protocol/errors.js'
import { invalidConnection, slowValidation } from './pool-errors.js'
import type { Gate, PoolGround, PoolSettings } from './pool-settings.js'
import type { Poolable } from './poolable.js'

/** Lets `validate` use the connection while it runs. */
class ValidationGate implements Gate {
  readonly #endpoint: string
  isOpen = true

  constructor(endpoint: string) {
    this.#endpoint = endpoint
  }

  assertHeld(): void {
    if (this.isOpen) return
    const message = 'validate() is over: the connection is not its own any more.'
    throw new TransportError('ERR_LEASE_ENDED', message, { endpoint: this.#endpoint })
  }
}

/**
 * `onDone` is called once, in a later turn or microtask; undefined: the connection is good. The returned function stops
 * the run, and prevents that.
 */
export function startValidation<Connection extends Poolable, View>(
  validate: NonNullable<PoolSettings<View>['validate']>,
  timeoutMs: number,
  connection: Connection,
  { endpoint, clock, present, failures }: PoolGround<Connection, View>,
  onDone: (failure: TransportError | undefined) => void,
): () => void {
  const gate = new ValidationGate(endpoint)
  const stop = (): void => {
    gate.isOpen = false
    cancel()
  }
  const finish = (failure: TransportError | undefined): void => {
    if (!gate.isOpen) return
    stop()
    onDone(failure)
  }
  const cancel = clock.setTimer(() => finish(slowValidation(endpoint, timeoutMs)), timeoutMs, { keepsAlive: false })
  const run = (): unknown => (gate.isOpen ? validate(present(connection, gate)) : undefined)
  // In a later microtask: it may call the pool, which is in the middle of its work now.
  const running = Promise.resolve().then(run)
  running.then(
    (verdict) => finish(verdict === false ? invalidConnection(endpoint, undefined) : undefined),
    (cause: unknown) => {
      // An error of ours says what is wrong with the connection; any other is a fault of `validate`.
      if (gate.isOpen && !(cause instanceof TransportError)) {
        const error = handlerError('validate failed, so its connection was destroyed. See the cause.', cause, endpoint)
        failures.report(error, { where: 'validate', endpoint, connection: undefined })
      }
      finish(invalidConnection(endpoint, cause))
    },
  )
  return stop
}
