/** What `subscribe()` takes, for connections and for links. */
import { invalidOption } from './wait-options.js'

/** Whether frames are to be lent. @throws {TransportError} ERR_INVALID_OPTION */
export function checkSubscription(handler: unknown, options: { readonly borrow?: unknown }): boolean {
  if (typeof handler !== 'function') throw invalidOption('subscribe()', 'handler', 'it must be a function')
  for (const key of Object.keys(options)) {
    if (key !== 'borrow') throw invalidOption('subscribe()', key, 'there is no such option')
  }
  const { borrow = false } = options
  if (typeof borrow !== 'boolean') throw invalidOption('subscribe()', 'borrow', 'it must be true or false')
  return borrow
}
