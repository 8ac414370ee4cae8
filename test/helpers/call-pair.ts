/** Functions that are served at one end of a channel, and called at the other. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { callsOver, type Calls, type CallSettings } from '../../engine/calls/calls-over.js'
import type { HostFunctions } from '../../engine/calls/remote-functions.js'
import { serveCalls } from '../../engine/calls/serve-calls.js'
import { TransportError } from '../../engine/protocol/errors.js'

export const over = new TransportError('ERR_CLOSED', 'over')

export interface CallPair<F> extends Calls<F> {
  readonly serving: MessagePort
  readonly calling: MessagePort
  /** Nothing of it is left then. */
  readonly end: () => void
}

export function callPair<F extends HostFunctions<F>>(functions: F, settings: Partial<CallSettings> = {}): CallPair<F> {
  const { port1: serving, port2: calling } = new MessageChannel()
  serveCalls(serving, functions)
  const calls = callsOver<F>(calling, { what: 'context.host', endpoint: 'memory:x', ...settings })
  return {
    proxy: calls.proxy,
    get pending() {
      return calls.pending
    },
    close: (error) => calls.close(error),
    serving,
    calling,
    end: () => {
      calls.close(over)
      serving.close()
    },
  }
}

/** Calls a function that the types know nothing of. */
export function callAny(proxy: object, name: string, ...args: readonly unknown[]): Promise<unknown> {
  const call: unknown = Reflect.get(proxy, name)
  if (typeof call !== 'function') throw new Error(`${name} is no function`)
  return Promise.resolve(Reflect.apply(call, undefined, args))
}

/** Node has it, and its types do not. */
export function isReferenced(port: MessagePort): boolean {
  return (port as MessagePort & { hasRef(): boolean }).hasRef()
}
