/**
 * Handlers at work on what connections have received that are over, for an engine that waits for them when it closes.
 * One that nothing can settle any more, since nobody has what it waits for, is not kept: a host that has many of those
 * would otherwise pay for each as long as its engine lives.
 */
export class OutlivingHandlers {
  readonly #works = new Set<WeakRef<Promise<void>>>()
  readonly #collected = new FinalizationRegistry<WeakRef<Promise<void>>>((work) => {
    this.#works.delete(work)
  })

  get size(): number {
    return this.#works.size
  }

  add(done: Promise<void>): void {
    const work = new WeakRef(done)
    this.#works.add(work)
    // What can still settle it holds it.
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
