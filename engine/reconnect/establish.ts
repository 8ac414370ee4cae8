/** One attempt: dials, then greets. Whatever fails, no connection is left behind. */
import { nameOf } from '../common/describe.js'
import { TransportError } from '../protocol/errors.js'
import { abortError, Waiter } from '../protocol/waiter.js'
import type { TrackedConnection } from './tracked-connection.js'
import type { LossReport, ReconnectingSettings } from './reconnecting-settings.js'

export interface AttemptFacts {
  /** Since it was last stable, counted from 1. */
  readonly attempt: number
  readonly isFirst: boolean
  readonly loss: LossReport | undefined
  /** For each of the two steps, milliseconds. */
  readonly timeoutMs: () => number
}

/** What `onConnected` failed with is its cause. The next attempt may fare better, whatever it is. */
export class GreetingFailure extends Error {}

export async function establish<C extends TrackedConnection>(
  settings: ReconnectingSettings<C>,
  facts: AttemptFacts,
  signal: AbortSignal,
): Promise<C> {
  const connection = await settings.dial({ signal, timeoutMs: facts.timeoutMs() })
  connection.unref()
  if (signal.aborted) {
    connection.destroy()
    throw abortError('connecting', settings.endpoint, signal.reason)
  }
  const { onConnected } = settings
  if (onConnected === undefined) return connection
  const over = new AbortController()
  try {
    await greet(settings, facts, signal, connection, onConnected, over.signal)
    // A greeting that still reads would take the user's frames.
    connection.subscribe(nothing)()
    return connection
  } catch (cause) {
    connection.destroy()
    throw new GreetingFailure('onConnected failed', { cause })
  } finally {
    over.abort()
  }
}

function greet<C extends TrackedConnection>(
  { endpoint, clock }: ReconnectingSettings<C>,
  { attempt, isFirst, loss, timeoutMs }: AttemptFacts,
  signal: AbortSignal,
  connection: C,
  onConnected: NonNullable<ReconnectingSettings<C>['onConnected']>,
  over: AbortSignal,
): Promise<void> {
  const waiter = new Waiter<void>('onConnected', endpoint, { signal, timeoutMs: timeoutMs() }, clock, nothing)
  void connection.closed.then(({ code, cause }) => {
    const message = `the connection ended (${code}) while onConnected was running.`
    waiter.reject(new TransportError('ERR_RESET', message, { cause, endpoint }))
  })
  new Promise((resolve) => resolve(onConnected(connection, { attempt, isFirst, loss, signal: over }))).then(
    () => waiter.resolve(),
    (error: unknown) => waiter.reject(asError(error)),
  )
  return waiter.promise
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(nameOf(error), { cause: error })
}

/** Whether a failure says something of this process, and nothing of the endpoint. */
export function isOfThisProcess(error: Error): boolean {
  return (
    error instanceof TransportError &&
    ['ERR_ABORTED', 'ERR_SHARD_LOST', 'ERR_SHARD_BOOT', 'ERR_ENGINE_CLOSED'].includes(error.code)
  )
}

function nothing(): void {
  // There is nothing to clean up.
}
