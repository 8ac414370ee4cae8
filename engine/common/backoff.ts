/**
 * Pauses between attempts, as an immutable iterator: a state of its own is all that an attempt needs to remember.
 *
 * `decorrelated` jitter draws each pause from [initialMs, previous pause * factor] and caps it at maxMs, so that many
 * who failed at the same moment do not come back at the same moment (Marc Brooker, "Exponential Backoff And Jitter",
 * AWS Architecture Blog, 2015). `full` draws from [0, initialMs * factor^n]; `none` takes that bound itself.
 */
export type Jitter = 'decorrelated' | 'full' | 'none'

/** Pauses between attempts, for pools and for reconnecting connections, whose defaults differ. */
export interface BackoffOptions {
  /** First pause, milliseconds. */
  readonly initialMs?: number | undefined
  /** Longest pause, milliseconds; at least initialMs. */
  readonly maxMs?: number | undefined
  /** What a pause is multiplied by to get the next one, or its bound; at least 1. */
  readonly factor?: number | undefined
  /** How pauses are drawn. */
  readonly jitter?: Jitter | undefined
}

export type BackoffSettings = { readonly [Key in keyof BackoffOptions]-?: NonNullable<BackoffOptions[Key]> }

export class Backoff {
  /** The pause before the next attempt, milliseconds. */
  readonly delayMs: number
  readonly #settings: BackoffSettings
  readonly #random: () => number
  /** What the next pause grows from: the bound that this one was drawn from, or, decorrelated, this one itself. */
  readonly #bound: number

  private constructor(settings: BackoffSettings, random: () => number, delayMs: number, bound: number) {
    this.#settings = settings
    this.#random = random
    this.delayMs = delayMs
    this.#bound = bound
  }

  /** `random` gives numbers in [0, 1). */
  static first(settings: BackoffSettings, random: () => number): Backoff {
    const { initialMs, jitter } = settings
    return new Backoff(settings, random, jitter === 'full' ? random() * initialMs : initialMs, initialMs)
  }

  next(): Backoff {
    const { initialMs, maxMs, factor, jitter } = this.#settings
    const bound = Math.min(maxMs, this.#bound * factor)
    switch (jitter) {
      case 'none':
        return new Backoff(this.#settings, this.#random, bound, bound)
      case 'full':
        return new Backoff(this.#settings, this.#random, this.#random() * bound, bound)
      case 'decorrelated': {
        const delay = initialMs + this.#random() * Math.max(0, bound - initialMs)
        return new Backoff(this.#settings, this.#random, delay, delay)
      }
    }
  }
}
