import { TransportError } from '../../engine/protocol/errors.js'
import { HandlerFailures, type HandlerPlace } from '../../engine/common/handler-failures.js'
import { systemClock } from '../../engine/protocol/clock.js'
import type { Adaptable } from './adaptable.js'

/** For connections that are not ours, and so know no `onError`. */
const failures = new HandlerFailures(systemClock, undefined)

/** A function that an adapter was given has failed: its connection is destroyed, and that is told. */
export function handlerFailed(connection: Adaptable, where: HandlerPlace, what: string, cause: unknown): void {
  if (connection.handlerFailed !== undefined) {
    connection.handlerFailed(where, what, cause)
    return
  }
  const { endpoint } = connection.info
  const message = `${what} failed, so its connection was destroyed. See the cause.`
  const error = new TransportError('ERR_HANDLER', message, { cause, endpoint })
  connection.destroy(error)
  failures.report(error, { where, endpoint, connection: undefined })
}
