/**
 * Wakes the main thread when something is due. A timer of Node's fires up to a millisecond late, and a main thread that
 * looked at the clock all the time would be awake for every answer; so a thread of its own waits, as precisely as the
 * system can, and main sleeps until it is told, as it does for any other event.
 */
import { Worker } from 'node:worker_threads'
import type { PaceOrder, PaceReport } from './pacer-thread.js'

export class Pacer {
  readonly #worker = new Worker(new URL('pacer-thread.js', import.meta.url))
  /** 1: main has been told, and has not looked yet. */
  readonly #told = new Int32Array(new SharedArrayBuffer(4))
  #onDue: () => void = () => undefined
  #onOver: (report: PaceReport) => void = () => undefined
  #onFailure: (error: Error) => void = () => undefined

  constructor() {
    this.#worker.on('error', (error) => {
      this.#onFailure(error)
    })
    this.#worker.on('message', (message: 'due' | PaceReport) => {
      if (message !== 'due') {
        this.#onOver(message)
        return
      }
      Atomics.store(this.#told, 0, 0)
      this.#onDue()
    })
  }

  /** Calls `onDue` when the first of so many is due, and as often as later ones are. */
  pace(order: Omit<PaceOrder, 'told'>, onDue: () => void): Promise<PaceReport> {
    this.#onDue = onDue
    return new Promise((resolve, reject) => {
      this.#onOver = resolve
      this.#onFailure = reject
      this.#worker.postMessage({ ...order, told: this.#told } satisfies PaceOrder)
    })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
