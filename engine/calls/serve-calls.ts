/** The side that has the functions. */
import type { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { TransportError } from '../protocol/errors.js'
import type { CallOutcome, CallServer } from './call-outcome.js'
import { carry } from './carried-error.js'
import { isFunctionName } from './function-names.js'

/** How many names a message lists, and how much of an unknown one it shows. */
const MOST_NAMES = 20
const LONGEST_NAME = 64

/**
 * Lets the other end of `port` call the functions that `functions` has now: its own, enumerable ones, with itself as
 * `this`. Calls begin in the order in which they were made. The port does not keep the thread alive; whoever owns it
 * closes it, and what a function returns after that goes nowhere.
 *
 * How many calls are at work is not bounded here, because the other end is code of ours: a caller has at most
 * `maxPending` of them. Only a port in strange hands could have more.
 */
export function serveCalls(port: MessagePort, functions: object): void {
  const served = new Map<string, (...args: unknown[]) => unknown>()
  for (const [name, value] of Object.entries(functions) as [string, unknown][])
    if (isFunctionName(name) && isFunction(value)) served.set(name, value)
  const call = async (name: string, args: readonly unknown[]): Promise<CallOutcome> => {
    try {
      const wanted = served.get(name)
      if (wanted === undefined) throw unknownName(name, [...served.keys()])
      const value: unknown = await Reflect.apply(wanted, functions, args)
      return { ok: true, value }
    } catch (thrown) {
      return { ok: false, thrown: carry(thrown) }
    }
  }
  Comlink.expose({ call } satisfies CallServer, port)
  // Arguments that this thread has no memory for: nobody can tell whose call it was, and the caller learns of the end.
  port.on('messageerror', () => port.close())
  port.unref()
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === 'function'
}

function unknownName(name: string, known: readonly string[]): TransportError {
  const shown = JSON.stringify(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name)
  const more = known.length > MOST_NAMES ? ` and ${String(known.length - MOST_NAMES)} more` : ''
  const list = known.length === 0 ? 'There is none' : `There are: ${known.slice(0, MOST_NAMES).join(', ')}${more}`
  return new TransportError('ERR_INVALID_OPTION', `there is no function ${shown} to call. ${list}.`)
}
