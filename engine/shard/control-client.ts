/** Main's side of the control plane. The only module that knows Comlink. */
import type { MessagePort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import type { ShardControl, MainCallbacks } from '../protocol/control.js'
import type { TransportError } from '../protocol/errors.js'

type Call = keyof ShardControl

/**
 * Control calls that always settle: each is raced against the shard's death, since Comlink never settles a call
 * whose worker is gone. A set of rejections instead of `Promise.race` with one long-lived promise, which would keep
 * a reaction for every call ever made.
 */
export class ControlClient {
  readonly #port: MessagePort
  readonly #remote: Comlink.Remote<ShardControl>
  readonly #pending = new Set<(error: TransportError) => void>()
  #lost: TransportError | undefined

  constructor(port: MessagePort) {
    this.#port = port
    this.#remote = Comlink.wrap<ShardControl>(port)
    port.unref()
  }

  get pendingCalls(): number {
    return this.#pending.size
  }

  call<Name extends Call>(
    name: Name,
    ...args: Parameters<ShardControl[Name]>
  ): Promise<Awaited<ReturnType<ShardControl[Name]>>> {
    type Result = Awaited<ReturnType<ShardControl[Name]>>
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return new Promise<Result>((resolve, reject) => {
      const settle = (): void => {
        this.#pending.delete(reject)
        // A pending call keeps the process alive: somebody waits for it.
        if (this.#pending.size === 0) this.#port.unref()
      }
      this.#pending.add(reject)
      this.#port.ref()
      const method = this.#remote[name] as unknown as (...args: unknown[]) => Promise<Result>
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

  /** The shard is gone: every pending call and every later one rejects. */
  lose(error: TransportError): void {
    this.#lost = error
    for (const reject of this.#pending) reject(error)
    this.#pending.clear()
    // Comlink holds the port while the remote lives, and through calls that were never answered the port holds the
    // remote: one that is not released stays for good, and the whole life of the shard with it.
    this.#remote[Comlink.releaseProxy]()
    this.#port.close()
  }
}

/** Lets the shard call `events` on main. */
export function exposeEvents(events: MainCallbacks, port: MessagePort): void {
  Comlink.expose(events, port)
  port.unref()
}
