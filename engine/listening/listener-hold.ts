/** Whether a listener keeps the process alive: as long as it is open, unless its user has said otherwise. */
interface Facts {
  readonly isOpen: boolean
  readonly isWanted: boolean
}

export class ListenerHold {
  readonly #keepAlive: (on: boolean) => void
  #facts: Facts = { isOpen: false, isWanted: true }

  /** `keepAlive` is called with each change. */
  constructor(keepAlive: (on: boolean) => void) {
    this.#keepAlive = keepAlive
  }

  setOpen(isOpen: boolean): void {
    this.#become({ ...this.#facts, isOpen })
  }

  setWanted(isWanted: boolean): void {
    this.#become({ ...this.#facts, isWanted })
  }

  #become(facts: Facts): void {
    const before = holds(this.#facts)
    this.#facts = facts
    if (holds(facts) !== before) this.#keepAlive(holds(facts))
  }
}

function holds({ isOpen, isWanted }: Facts): boolean {
  return isOpen && isWanted
}
