/**
 * The worker threads, one for each shard. The only module that knows Piscina.
 *
 * A shard is one task that never returns; the task's promise is its obituary. `atomics: 'disabled'`, because with
 * the default Piscina blocks a thread between tasks, and its sockets with it.
 */
import type { MessagePort, Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { ShardBoot } from '../shared/control.js'

interface ThreadHandle {
  ref(): unknown
  unref(): unknown
}

/** V8 divides this by three: two halves and a reserve. */
const SHARD_NURSERY_MB = 6

export class ThreadPool {
  readonly #pool: Piscina
  readonly #handles: ThreadHandle[] = []

  constructor(entry: string, threads: number) {
    this.#pool = new Piscina({
      filename: entry,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      maxQueue: threads,
      idleTimeout: Infinity,
      atomics: 'disabled',
      // A shard's garbage is small and dies young: a nursery of 2 MiB halves serves as well as the default of 16.
      resourceLimits: { maxYoungGenerationSizeMb: SHARD_NURSERY_MB },
      recordTiming: false,
      workerHistogram: false,
    })
    // A thread that dies between tasks is replaced by Piscina; the shard's own promise tells the story.
    this.#pool.on('error', () => undefined)
    this.#pool.on('workerCreate', (worker: object) => {
      const handle = threadHandle(worker)
      if (handle !== undefined) this.#handles.push(handle)
    })
  }

  /** Runs a shard. Settles when it stops ('stopped') or dies (rejects with the original error). */
  run(boot: ShardBoot, transfer: readonly MessagePort[]): Promise<unknown> {
    return this.#pool.run(boot, { transferList: [...transfer] }) as Promise<unknown>
  }

  /**
   * Piscina keeps the process alive while a task runs, and a shard's task never ends. Connections and listeners
   * keep it alive by references of their own, so the threads must not.
   */
  unref(): void {
    for (const handle of this.#handles) handle.unref()
  }

  /** From here on the process waits for the threads again: somebody waits for their end. */
  ref(): void {
    for (const handle of this.#handles) handle.ref()
  }

  get threads(): readonly Worker[] {
    return this.#pool.threads
  }

  /** Ends every thread, running or not. */
  async destroy(): Promise<void> {
    // An error that a thread reports late would make Piscina replace it, after everything has been torn down.
    Object.assign(this.#pool.options, { minThreads: 0 })
    await this.#pool.destroy()
  }
}

/** Piscina's own record of a thread sits behind a symbol of the public one; it alone can drop the reference. */
function threadHandle(worker: object): ThreadHandle | undefined {
  for (const symbol of Object.getOwnPropertySymbols(worker)) {
    const value = (worker as Record<symbol, unknown>)[symbol]
    if (
      typeof value === 'object' &&
      value !== null &&
      typeof (value as Partial<ThreadHandle>).unref === 'function'
    ) {
      return value as ThreadHandle
    }
  }
  return undefined
}
