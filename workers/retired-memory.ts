/** Shared memory that this thread was told to forget, until its garbage collector has. */
import type { Session } from 'node:inspector'

export class RetiredMemory {
  #leaving: WeakRef<object>[] = []

  add(memory: object): void {
    this.#leaving.push(new WeakRef(memory))
  }

  /** Collects this thread's garbage if that is needed. False: something of it is still there. */
  async collect(): Promise<boolean> {
    if (this.#forgetCollected()) return true
    await collectGarbage()
    return this.#forgetCollected()
  }

  #forgetCollected(): boolean {
    this.#leaving = this.#leaving.filter((memory) => memory.deref() !== undefined)
    return this.#leaving.length === 0
  }
}

/**
 * A full collection of this thread's heap, some milliseconds. The inspector is the only documented way to one that
 * needs no flag; where it is not to be had (Node's permission model, builds without it) nothing is collected.
 */
async function collectGarbage(): Promise<void> {
  let session: Session | undefined
  try {
    const inspector = await import('node:inspector')
    session = new inspector.Session()
    session.connect()
    await new Promise<void>((resolve) => {
      session?.post('HeapProfiler.collectGarbage', () => resolve())
    })
  } catch {
    // Not to be had.
  } finally {
    session?.disconnect()
  }
  // What was looked at in this turn counts as used until it is over.
  await new Promise((resolve) => setImmediate(resolve))
}
