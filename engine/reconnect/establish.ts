/** One attempt: dials, then greets. Whatever fails, no connection is left behind. */
import { nameOf } from '../common/describe.js'
import { TransportError } from '../protocol/errors.js'
import { abortError, Waiter } from '../protocol/waiter.js'
import type { ConnectedInfo, ReconnectingSettings, TrackedConnection } from './reconnecting-settings.js'

const nothing = (): void => undefined

/** What `onConnected` failed with is its cause. The next attempt may fare better, whatever it is. */
export class GreetingFailure extends Error {}

/** `timeoutMs`: for each of the two steps, when it begins. */
export async function establish<C extends TrackedConnection>(
  settings: ReconnectingSettings<C>,
  info: Omit<ConnectedInfo, 'signal'>,
  signal: AbortSignal,
  timeoutMs: () => number,
): Promise<C> {
  const { dial, onConnected, endpoint, clock } = settings
  const connection = await dial({ signal, timeoutMs: timeoutMs() })
  connection.unref()
  if (signal.aborted) {
    connection.destroy()
    throw abortError('connecting', endpoint, signal.reason)
  }
  if (onConnected === undefined) return connection
  const over = new AbortController()
  const waiter = new Waiter<unknown>('onConnected', endpoint, { signal, timeoutMs: timeoutMs() }, clock, nothing)
  void connection.closed.then(({ code, cause }) => {
    const message = `the connection ended (${code}) while onConnected was running.`
    waiter.reject(new TransportError('ERR_RESET', message, { cause, endpoint }))
  })
  new Promise((resolve) => resolve(onConnected(connection, { ...info, signal: over.signal }))).then(
    (value) => waiter.resolve(value),
    (error: unknown) => waiter.reject(asError(error)),
  )
  try {
    await waiter.promise
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
