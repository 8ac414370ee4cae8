/**
 * One worker thread, for one life of one shard, which is one task. The only module that knows Piscina.
 *
 * Each life has a pool of its own: Piscina starts another thread at once when one dies, which is the supervisor's
 * decision here, and a pool of one shows which thread a task runs on. See docs/decisions/shard-threads.md.
 */
import type { Worker } from 'node:worker_threads'
import { referenceOf, type WorkerReference } from '../internals/piscina-worker.js'
import type { Clock } from '../protocol/clock.js'
import type { ShardBoot } from '../protocol/control.js'
import { loadPiscina } from './load-piscina.js'
import { readRunningStack, type Activity } from './running-stack.js'
import type { EventLoopTimes } from './placement.js'

/** V8 divides this by three: two halves and a reserve. A shard's garbage is small and dies young. */
const SHARD_NURSERY_MB = 16

export class ShardThread {
  /** Resolves when the shard has stopped, rejects with what killed it; in both cases the thread is gone by then. */
  readonly ended: Promise<void>
  #worker: Worker | undefined
  #reference: WorkerReference | undefined
  #killedFor: Error | undefined

  constructor(entry: string, heapMb: number, boot: ShardBoot) {
    this.ended = this.#run(entry, heapMb, boot).finally(() => {
      if (this.#killedFor !== undefined) throw this.#killedFor
    })
  }

  /** Also while the thread is blocked. */
  eventLoopTimes(): EventLoopTimes {
    return this.#worker?.performance.eventLoopUtilization() ?? { active: 0, idle: 0 }
  }

  /** The process waits for connections and listeners, not for the task that Piscina would keep it alive for. */
  unref(): void {
    this.#reference?.unref()
  }

  /** From here on the process waits for the thread's end. */
  ref(): void {
    this.#reference?.ref()
    this.#worker?.ref()
  }

  /** What it is doing now. Resolves always, within a second. */
  readRunningStack(clock: Clock): Promise<Activity> {
    // A worker that has ended has the id -1, which no thread has.
    return readRunningStack(this.#worker?.threadId ?? -1, clock)
  }

  /** Ends the thread whatever it is doing; `ended` rejects with the reason. */
  kill(reason: Error): void {
    this.#killedFor ??= reason
    this.ref()
    void this.#worker?.terminate()
  }

  async #run(entry: string, heapMb: number, boot: ShardBoot): Promise<void> {
    const Piscina = loadPiscina(entry)
    const pool = new Piscina({
      filename: entry,
      minThreads: 0,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      maxQueue: 1,
      idleTimeout: Infinity,
      // With the default Piscina blocks a thread between tasks, and its sockets with it.
      atomics: 'disabled',
      // Otherwise a thread that is ended while Node loads its modules leaves the file open that Node was reading.
      trackUnmanagedFds: true,
      resourceLimits: { maxYoungGenerationSizeMb: SHARD_NURSERY_MB, maxOldGenerationSizeMb: heapMb },
      recordTiming: false,
      workerHistogram: false,
    })
    pool.on('workerCreate', (worker: object) => {
      this.#reference = referenceOf(worker)
    })
    // Where a thread fails before it has taken the task, only the pool emits that.
    const failed = new Promise<never>((_, reject) => pool.on('error', reject))
    // Throws what `new Worker` throws, where workers are forbidden or the system has no thread left.
    const task = pool.run(boot, { transferList: [boot.control, boot.events, boot.bell] }) as Promise<unknown>
    const worker = pool.threads[0]
    this.#worker = worker
    const exited = new Promise<number>((resolve) => {
      if (worker === undefined) resolve(0)
      else worker.once('exit', resolve)
    })
    const left = exited.then((code) => {
      throw new Error(`the worker thread exited with code ${String(code)}`)
    })
    try {
      await Promise.race([task, failed, left])
    } finally {
      task.catch(() => undefined)
      left.catch(() => undefined)
      await pool.destroy()
      await exited
    }
  }
}
