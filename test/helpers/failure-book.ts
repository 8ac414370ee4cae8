/** Records what an engine's `onError` gets, instead of process warnings. */
import type { HandlerErrorContext, OnError, TransportError } from '../../api/index.js'

export interface HandlerFailure {
  readonly error: TransportError
  readonly context: HandlerErrorContext
}

export class FailureBook {
  readonly #failures: HandlerFailure[] = []

  readonly onError: OnError = (error, context) => {
    this.#failures.push({ error, context })
  }

  /** Since this was last asked. */
  take(): HandlerFailure[] {
    return this.#failures.splice(0)
  }

  /** Where they were, and what was thrown, since this was last asked. */
  takeTold(): string[] {
    return this.take().map(
      ({ error, context }) =>
        `${context.where}: ${error.cause instanceof Error ? error.cause.message : String(error.cause)}`,
    )
  }
}
