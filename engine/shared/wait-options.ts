/** Checks of options that are given with each call, by hand: a schema would cost more than the call. */
import { TransportError } from './errors.js'
import type { WaitOptions } from './waiter.js'

/** The longest time that a timer can keep, in milliseconds. */
const LONGEST_TIMER_MS = 2_147_483_647

/** What is wrong with them; undefined: nothing. */
export function checkWaitOptions(options: WaitOptions, where: string): TransportError | undefined {
  const given: unknown = options
  if (typeof given !== 'object' || given === null)
    return invalidOption(where, 'options', 'it must be an object')
  for (const key of Object.keys(given)) {
    if (key !== 'signal' && key !== 'timeoutMs') return invalidOption(where, key, 'there is no such option')
  }
  const { signal, timeoutMs } = given as Record<string, unknown>
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    return invalidOption(where, 'signal', 'it must be an AbortSignal')
  }
  if (timeoutMs === undefined) return undefined
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0) || timeoutMs > LONGEST_TIMER_MS) {
    return invalidOption(where, 'timeoutMs', `it must be a number from 0 to ${String(LONGEST_TIMER_MS)}`)
  }
  return undefined
}

export function invalidOption(where: string, option: string, problem: string): TransportError {
  return new TransportError(
    'ERR_INVALID_OPTION',
    `${where}: option ${option} is not valid: ${problem}. See the README for names, units and ranges.`,
  )
}
