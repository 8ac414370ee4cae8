/** Shared memory that this thread no longer uses, until its garbage collector has freed it. */
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
 * A full collection of this thread's heap, some milliseconds. The inspector is the only documented way that needs no
 * flag; without it (Node's permission model, builds that lack it) nothing is collected.
 */
export async function collectGarbage(): Promise<void> {
  let session: Session | undefined
  try {
    const inspector = await import('node:inspector')
    session = new inspector.Session()
    session.connect()
    await new Promise<void>((resolve) => session?.post('HeapProfiler.collectGarbage', () => resolve()))
  } catch {
    // There is none.
  } finally {
    session?.disconnect()
  }
  // A WeakRef keeps what it returned until the turn is over.
  await new Promise((resolve) => setImmediate(resolve))
}
