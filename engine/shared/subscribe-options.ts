/** What `subscribe()` takes, for connections and for links. */
import { checkOptions, type Checks } from './problems.js'
import { invalidOption } from './wait-options.js'

const checks: Checks = {
  borrow: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
}

/** Whether frames are to be lent. @throws {TransportError} ERR_INVALID_OPTION */
export function checkSubscription(handler: unknown, options: { readonly borrow?: unknown }): boolean {
  if (typeof handler !== 'function') throw invalidOption('subscribe()', 'handler', 'it must be a function')
  const wrong = checkOptions(options, checks, 'subscribe()')
  if (wrong !== undefined) throw wrong
  return options.borrow === true
}
