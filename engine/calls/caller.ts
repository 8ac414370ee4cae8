/** The side that calls: every call settles, and no more than a bound of them wait. */
import type { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { TransportError, type TransportErrorCode } from '../protocol/errors.js'
import type { CallOutcome, CallServer } from './call-outcome.js'
import { define, revive, type Carried } from './carried-error.js'
import { refusingPort } from './refusing-port.js'

export interface CallerSettings {
  /** What the functions are called in messages, such as `context.host`. */
  readonly what: string
  /** Of the errors that are made here. */
  readonly endpoint: string | undefined
  /** Calls without an answer, past which another is refused. */
  readonly maxPending: number
  /** The error of all calls once the other end has closed its port, unless `close()` comes first. */
  readonly onEnd: () => Error
}

/** What becomes of a call: its outcome over there, or arguments or a result that could not be copied. */
type Answer =
  CallOutcome | { readonly ok: false; readonly unsent: unknown } | { readonly ok: false; readonly unreturned: unknown }

export class Caller {
  readonly #port: MessagePort
  readonly #settings: CallerSettings
  readonly #remote: Comlink.Remote<CallServer['call']>
  readonly #pending = new Set<(error: Error) => void>()
  #closed: Error | undefined

  constructor(port: MessagePort, settings: CallerSettings) {
    this.#port = port
    this.#settings = settings
    const answering = refusingPort(port, (unsent): Answer => ({ ok: false, unsent }))
    // One proxy for all calls: Comlink makes and registers a new one each time that a property is read.
    this.#remote = Comlink.wrap<CallServer>(answering).call
    port.on('close', () => this.close(settings.onEnd()))
    // An answer that this thread has no memory for: nobody can tell to which call.
    port.on('messageerror', () => this.#rejectAll(this.#error('ERR_IO', 'an answer could not be read')))
    port.unref()
  }

  get pending(): number {
    return this.#pending.size
  }

  readonly call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const answer = await this.#ask(name, args)
    if (answer.ok) return answer.value
    // Errors are made behind the `await`: there V8 knows, at no cost to other calls, which functions wait for this one.
    if ('unsent' in answer) throw this.#unsent(name, args, answer.unsent)
    if ('unreturned' in answer) {
      const message = `${name}() returned what cannot be copied to another thread. Return plain values`
      throw this.#error('ERR_HANDLER', message, answer.unreturned)
    }
    throw this.#failure(name, answer.thrown)
  }

  /** Every pending call and every later one rejects with the first error that is given. */
  close(error: Error): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#rejectAll(error)
    // Without this, Comlink would keep the calls that were never answered.
    this.#remote[Comlink.releaseProxy]()
    this.#port.close()
  }

  #ask(name: string, args: readonly unknown[]): Promise<Answer> {
    const { maxPending } = this.#settings
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    if (this.#pending.size >= maxPending) {
      const advice = 'Await some before you make more'
      return Promise.reject(
        this.#error('ERR_BACKPRESSURE', `${String(maxPending)} calls wait for an answer already. ${advice}`),
      )
    }
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#pending.delete(reject)
        if (this.#pending.size === 0) this.#port.unref()
      }
      // A pending call keeps the thread alive.
      if (this.#pending.size === 0) this.#port.ref()
      this.#pending.add(reject)
      this.#send(name, args).then(
        (answer) => {
          settle()
          resolve(answer)
        },
        // Comlink's own answer to a result that it could not send.
        (unreturned: unknown) => {
          settle()
          resolve({ ok: false, unreturned })
        },
      )
    })
  }

  #send(name: string, args: readonly unknown[]): Promise<Answer> {
    try {
      return this.#remote(name, args)
    } catch (unsent) {
      // A transfer handler that the host has registered with Comlink.
      return Promise.resolve({ ok: false, unsent })
    }
  }

  #unsent(name: string, args: readonly unknown[], cause: unknown): TransportError {
    const which = args.findIndex((arg) => !canBeCopied(arg))
    const what = which === -1 ? 'the arguments' : `argument ${String(which + 1)}`
    const message = `${what} of ${name}() cannot be copied to another thread. Give plain values, without functions`
    return this.#error('ERR_INVALID_OPTION', message, cause)
  }

  #failure(name: string, carried: Carried): Error {
    const thrown = revive(carried)
    if (carried.kind === 'error' && thrown instanceof Error) return addCaller(thrown, this.call)
    const what = carried.kind === 'lost' ? 'what cannot be copied to another thread' : 'what is not an error'
    return new Error(`${this.#settings.what}: ${name}() threw ${what}.`, { cause: thrown })
  }

  /** Of the call itself. */
  #error(code: TransportErrorCode, message: string, cause?: unknown): TransportError {
    const { what, endpoint } = this.#settings
    return new TransportError(code, `${what}: ${message}.`, { cause, endpoint })
  }

  #rejectAll(error: Error): void {
    for (const reject of this.#pending) reject(error)
    this.#pending.clear()
    this.#port.unref()
  }
}

function canBeCopied(value: unknown): boolean {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

/** Adds to the stack of the other thread who waits in this one, if anything but `called` does. */
function addCaller(error: Error, called: Caller['call']): Error {
  const here: { stack?: unknown } = {}
  Error.captureStackTrace(here, called)
  const frames = typeof here.stack === 'string' ? here.stack.split('\n').slice(1) : []
  if (frames.length === 0) return error
  define(error, 'stack', [error.stack ?? String(error), '    -- called from another thread --', ...frames].join('\n'))
  return error
}
