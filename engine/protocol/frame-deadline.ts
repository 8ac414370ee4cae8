/** The time that a frame may take from its first byte on. It keeps no process alive. */
import type { Clock } from './clock.js'

export class FrameDeadline {
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #look: () => void
  readonly #onExpired: () => void
  /** Set while it runs. */
  #cancel: (() => void) | undefined
  #dueAt = 0
  /** What `pause()` has left of it; undefined: all of it. */
  #leftMs: number | undefined

  /** `look` is called before it expires: it takes what has arrived by then, and may end the deadline by that. */
  constructor(timeoutMs: number, clock: Clock, onExpired: () => void, look: () => void = () => undefined) {
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#onExpired = onExpired
    this.#look = look
  }

  /** Runs from now on, unless it runs already. */
  start(): void {
    if (this.#cancel !== undefined) return
    const leftMs = this.#leftMs ?? this.#timeoutMs
    const onTimer = (): void => {
      // Timers come before messages and reads: what has arrived meanwhile counts.
      this.#clock.nextTurn(() => {
        if (this.#cancel === cancel) this.#look()
        if (this.#cancel !== cancel) return
        this.end()
        this.#onExpired()
      })
    }
    const cancel = this.#clock.setTimer(onTimer, leftMs, { keepsAlive: false })
    this.#dueAt = this.#clock.now() + leftMs
    this.#cancel = cancel
  }

  /** Stands still until the next `start()`, which goes on with what is left. */
  pause(): void {
    if (this.#cancel === undefined) return
    this.end()
    this.#leftMs = Math.max(0, this.#dueAt - this.#clock.now())
  }

  /** The frame is complete, or nothing more will come: the next one has all of the time. */
  end(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#leftMs = undefined
  }
}
