/**
 * Waits for a condition without a timer: every event of the campaign calls `poke()`, which checks every condition
 * again.
 */
export class Gate {
  readonly #waiting = new Set<() => void>()

  poke(): void {
    for (const look of [...this.#waiting]) look()
  }

  /** Resolves once the condition holds, at the latest with the poke after it. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }
}
