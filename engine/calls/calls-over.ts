/** Functions of another thread as an object of functions. */
import type { MessagePort } from 'node:worker_threads'
import { TransportError } from '../protocol/errors.js'
import { Caller, type CallerSettings } from './caller.js'
import { isFunctionName } from './function-names.js'
import type { HostFunctions, RemoteFunctions } from './remote-functions.js'

const DEFAULT_MAX_PENDING = 1024

export interface CallSettings extends Pick<CallerSettings, 'what' | 'endpoint'> {
  /** Calls without an answer, past which another rejects with ERR_BACKPRESSURE. Default 1,024. */
  readonly maxPending?: number
  /** The error of all calls once the other end has closed its port, unless `close()` came first. Default ERR_CLOSED. */
  readonly onEnd?: () => Error
}

export interface Calls<F> {
  /**
   * Any name is a function of it, which rejects with ERR_INVALID_OPTION if there is none over there, or if its
   * arguments cannot be copied, and with ERR_HANDLER if what it returned cannot be.
   */
  readonly proxy: RemoteFunctions<F>
  /** Calls without an answer. As long as there are any, the port keeps this thread alive. */
  readonly pending: number
  /** Closes the port; every pending call and every later one rejects with the first error that is given. */
  close(error: Error): void
}

/** Calls what `serveCalls()` offers at the other end of `port`. */
export function callsOver<F extends HostFunctions<F>>(port: MessagePort, settings: CallSettings): Calls<F> {
  const { what, endpoint, maxPending = DEFAULT_MAX_PENDING } = settings
  const ended = (): Error =>
    new TransportError('ERR_CLOSED', `${what}: the other thread takes no calls any more.`, { endpoint })
  const caller = new Caller(port, { what, endpoint, maxPending, onEnd: settings.onEnd ?? ended })
  return {
    proxy: proxyOf(caller) as RemoteFunctions<F>,
    get pending() {
      return caller.pending
    },
    close: (error) => caller.close(error),
  }
}

/** An empty, frozen object whose properties are functions. */
function proxyOf(caller: Caller): object {
  const nothing = Object.freeze(Object.create(null) as object)
  return new Proxy(nothing, {
    get: (_, name) =>
      typeof name === 'string' && isFunctionName(name)
        ? (...args: unknown[]): Promise<unknown> => caller.call(name, args)
        : undefined,
  })
}
