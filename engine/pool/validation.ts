/** One run of a pool's `validate`, which may throw, reject, say anything, or never settle. */
import { TransportError } from '../protocol/errors.js'
import type { Clock } from '../protocol/clock.js'
import { invalidConnection, slowValidation } from './pool-errors.js'
import type { Gate } from './pool-settings.js'

/** What `validate` gets works while it runs. */
class ValidationGate implements Gate {
  readonly #endpoint: string
  isOpen = true

  constructor(endpoint: string) {
    this.#endpoint = endpoint
  }

  assertHeld(): void {
    if (this.isOpen) return
    throw new TransportError('ERR_LEASE_ENDED', 'validate() is over: the connection is not its own any more.', {
      endpoint: this.#endpoint,
    })
  }
}

export interface ValidationTerms<View> {
  readonly endpoint: string
  readonly clock: Clock
  readonly timeoutMs: number
  readonly validate: (connection: View) => unknown
  readonly present: (gate: Gate) => View
  /** `validate` has failed, with something that is no error of ours; `onDone` follows. */
  readonly onFault: (cause: unknown) => void
  /** Called once, in a later turn or microtask, unless it was stopped. Undefined: it is good. */
  readonly onDone: (failure: TransportError | undefined) => void
}

/** The returned function stops it: nothing more is said of it. */
export function startValidation<View>(terms: ValidationTerms<View>): () => void {
  const { endpoint, clock, timeoutMs, validate, present, onFault, onDone } = terms
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
  const cancel = clock.setTimer(
    () => {
      finish(slowValidation(endpoint, timeoutMs))
    },
    timeoutMs,
    { keepsAlive: false },
  )
  const run = (): unknown => (gate.isOpen ? validate(present(gate)) : undefined)
  // Not from inside the pool, in the middle of whose work it could call the pool.
  const running = Promise.resolve().then(run)
  running.then(
    (verdict) => {
      finish(verdict === false ? invalidConnection(endpoint, undefined) : undefined)
    },
    (error: unknown) => {
      // An error of ours says what is wrong with the connection, which was asked for; any other is a fault of
      // `validate`.
      if (gate.isOpen && !(error instanceof TransportError)) onFault(error)
      finish(invalidConnection(endpoint, error))
    },
  )
  return stop
}
