/** What `subscribe()` takes. */
import { readOptions, type Checks } from './option-problems.js'
import { invalidOption } from './wait-options.js'

const checks = {
  borrow: (value: unknown) => (typeof value === 'boolean' ? undefined : 'true or false'),
} satisfies Checks

/** Whether frames are to be lent. @throws {TransportError} ERR_INVALID_OPTION */
export function checkSubscription(handler: unknown, options: { readonly borrow?: unknown }): boolean {
  if (typeof handler !== 'function') throw invalidOption('subscribe()', 'handler', 'it must be a function')
  return readOptions<{ readonly borrow?: unknown }>(options, checks, 'subscribe()').borrow === true
}
