/** One run of a pool's `validate`, which may throw, reject, return anything, or never settle. */
import { handlerError } from '../common/handler-failures.js'
import { TransportError } from '../protocol/errors.js'
import { invalidConnection, slowValidation } from './pool-errors.js'
import type { Gate, Poolable, PoolGround, PoolSettings } from './pool-settings.js'

/** `onDone` is called once, in a later turn or microtask; undefined: all good. The returned function stops the run. */
export function startValidation<Connection extends Poolable, View>(
  validate: NonNullable<PoolSettings<View>['validate']>,
  timeoutMs: number,
  connection: Connection,
  { endpoint, clock, present, failures }: PoolGround<Connection, View>,
  onDone: (failure: TransportError | undefined) => void,
): () => void {
  let isRunning = true
  const gate: Gate = {
    assertHeld: () => {
      if (isRunning) return
      const message = 'validate() is over: the connection is not its own any more.'
      throw new TransportError('ERR_LEASE_ENDED', message, { endpoint })
    },
  }
  const stop = (): void => {
    isRunning = false
    cancel()
  }
  const finish = (failure: TransportError | undefined): void => {
    if (!isRunning) return
    stop()
    onDone(failure)
  }
  const cancel = clock.setTimer(() => finish(slowValidation(endpoint, timeoutMs)), timeoutMs, { keepsAlive: false })
  const run = (): unknown => (isRunning ? validate(present(connection, gate)) : undefined)
  // In a later microtask: it may call the pool, which is in the middle of its work now.
  const running = Promise.resolve().then(run)
  running.then(
    (verdict) => finish(verdict === false ? invalidConnection(endpoint, undefined) : undefined),
    (cause: unknown) => {
      // An error of ours says what is wrong with the connection; any other is a fault of `validate`.
      if (isRunning && !(cause instanceof TransportError)) {
        const error = handlerError('validate failed, so its connection was destroyed. See the cause.', cause, endpoint)
        failures.report(error, { where: 'validate', endpoint, connection: undefined })
      }
      finish(invalidConnection(endpoint, cause))
    },
  )
  return stop
}
