/**
 * Handlers at work on frames of connections that have ended: an engine waits for them when it closes. Work is held
 * weakly, since its promise may never settle: when what it waits for is gone, it is collected and forgotten.
 */
export class OutlivingHandlers {
  readonly #works = new Set<WeakRef<Promise<void>>>()
  readonly #collected = new FinalizationRegistry<WeakRef<Promise<void>>>((work) => this.#works.delete(work))

  get size(): number {
    return this.#works.size
  }

  add(done: Promise<void>): void {
    const work = new WeakRef(done)
    this.#works.add(work)
    // Anything that can still settle the promise holds it.
    this.#collected.register(done, work)
    void done.then(() => this.#works.delete(work))
  }

  *[Symbol.iterator](): Generator<Promise<void>, void, undefined> {
    for (const work of this.#works) {
      const done = work.deref()
      if (done !== undefined) yield done
    }
  }
}
