/** What a peer sees while the thread of the test does nothing but wait for it. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** What the peer may see: words of the shared memory, 1 once it has. */
export const sight = { END: 0, CLOSE: 1, WRITE_FAILED: 2, WORDS: 3 } as const

export interface WatchingPeerData {
  readonly path: string
  readonly role: 'connects' | 'listens'
  readonly memory: SharedArrayBuffer
}

/** How long anything may take that happens at once, in milliseconds. */
const SPIN_MS = 10_000

/** Whether it happens while this thread's event loop stands still. */
export function spinUntil(reached: () => boolean): boolean {
  const giveUpAt = performance.now() + SPIN_MS
  while (!reached()) if (performance.now() > giveUpAt) return false
  return true
}

export class WatchingPeer {
  readonly #worker: Worker
  readonly #sights = new Int32Array(new SharedArrayBuffer(sight.WORDS * Int32Array.BYTES_PER_ELEMENT))

  /** It listens before this resolves, or has begun to connect. */
  static async start(path: string, role: WatchingPeerData['role']): Promise<WatchingPeer> {
    const peer = new WatchingPeer(path, role)
    await once(peer.#worker, role === 'listens' ? 'message' : 'online')
    return peer
  }

  private constructor(path: string, role: WatchingPeerData['role']) {
    const workerData: WatchingPeerData = { path, role, memory: this.#sights.buffer }
    this.#worker = new Worker(new URL('./watching-peer-worker.js', import.meta.url), { workerData })
  }

  get hasSeenEnd(): boolean {
    return Atomics.load(this.#sights, sight.END) === 1
  }

  spinUntilEnd(): boolean {
    return this.#spinUntilSeen(sight.END)
  }

  /** Until it has found that what it writes arrives nowhere. */
  spinUntilWritesFail(): boolean {
    return this.#spinUntilSeen(sight.WRITE_FAILED)
  }

  spinUntilClose(): boolean {
    return this.#spinUntilSeen(sight.CLOSE)
  }

  #spinUntilSeen(what: number): boolean {
    return spinUntil(() => Atomics.load(this.#sights, what) === 1)
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
