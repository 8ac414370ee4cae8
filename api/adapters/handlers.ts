/** What becomes of the functions that an adapter was given, with the connection that they were called for. */
import {
  handlerError,
  HandlerFailures,
  type HandlerHost,
  type HandlerPlace,
} from '../../engine/common/handler-failures.js'
import { systemClock } from '../../engine/protocol/clock.js'
import type { Adaptable } from './adaptable.js'

/** For connections of others, which have no `onError`. */
const failures = new HandlerFailures(systemClock, undefined)

/** Destroys the connection, and reports the failure. */
export function handlerFailed(connection: Adaptable, where: HandlerPlace, what: string, cause: unknown): void {
  if (isHandlerHost(connection)) {
    connection.handlerFailed(where, what, cause)
    return
  }
  const { endpoint } = connection.info
  const error = handlerError(`${what} failed, so its connection was destroyed. See the cause.`, cause, endpoint)
  connection.destroy(error)
  failures.report(error, { where, endpoint, connection: undefined })
}

/** The end of the engine waits for this work on a frame, which holds no other frame back. */
export function atWork(connection: Adaptable, pending: Promise<unknown>): void {
  if (isHandlerHost(connection)) connection.atWork(pending)
}

function isHandlerHost(connection: Adaptable): connection is Adaptable & HandlerHost {
  return 'handlerFailed' in connection && 'atWork' in connection
}
