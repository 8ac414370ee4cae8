/** Main's side of the control plane. The only module of main that knows Comlink. */
import type { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import type { ShardControl, MainCallbacks } from '../protocol/control.js'
import type { TransportError } from '../protocol/errors.js'

type Call = keyof ShardControl
type Result<Name extends Call> = Awaited<ReturnType<ShardControl[Name]>>

/**
 * Control calls that always settle: Comlink never settles a call whose worker is gone, so each is rejected when the
 * shard is lost. Not by `Promise.race` with one promise, which would keep a reaction for every call ever made.
 */
export class ControlClient {
  readonly #port: MessagePort
  readonly #beforeCall: () => void
  readonly #remote: Comlink.Remote<ShardControl>
  readonly #pending = new Set<(error: TransportError) => void>()
  #lost: TransportError | undefined

  /** `beforeCall` is called before each one, so that what it sends is sent first. */
  constructor(port: MessagePort, beforeCall: () => void) {
    this.#port = port
    this.#beforeCall = beforeCall
    this.#remote = Comlink.wrap<ShardControl>(port)
    port.unref()
  }

  get pendingCalls(): number {
    return this.#pending.size
  }

  call<Name extends Call>(name: Name, ...args: Parameters<ShardControl[Name]>): Promise<Result<Name>> {
    this.#beforeCall()
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#pending.delete(reject)
        // A pending call keeps the process alive.
        if (this.#pending.size === 0) this.#port.unref()
      }
      this.#pending.add(reject)
      this.#port.ref()
      const method = this.#remote[name] as unknown as (...args: unknown[]) => Promise<Result<Name>>
      method(...args).then(
        (value) => {
          settle()
          resolve(value)
        },
        (error: unknown) => {
          settle()
          reject(error instanceof Error ? error : new Error('the worker thread failed', { cause: error }))
        },
      )
    })
  }

  /** An argument with which these ports go to the shard. */
  moving<Value extends object>(value: Value, ports: readonly MessagePort[]): Value {
    return Comlink.transfer(value, [...ports])
  }

  /** A call that fails only if the shard is lost, which the caller learns by other means. */
  announce<Name extends Call>(name: Name, ...args: Parameters<ShardControl[Name]>): Promise<void> {
    return this.call(name, ...args).then(
      () => undefined,
      () => undefined,
    )
  }

  /** The shard is lost: every pending call and every later one rejects. */
  lose(error: TransportError): void {
    this.#lost = error
    for (const reject of this.#pending) reject(error)
    this.#pending.clear()
    // Without this, calls that were never answered would keep the remote, the port, and all of this life of the shard.
    this.#remote[Comlink.releaseProxy]()
    this.#port.close()
  }
}

/** Lets the shard call `callbacks` on main. */
export function exposeCallbacks(callbacks: MainCallbacks, port: MessagePort): void {
  Comlink.expose(callbacks, port)
  port.unref()
}
