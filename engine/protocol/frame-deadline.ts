/** The time that a frame may take from its first byte to its last. It keeps no process alive. */
import type { Clock } from './clock.js'

type DeadlineState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly cancel: () => void; readonly dueAt: number }
  | { readonly kind: 'paused'; readonly leftMs: number }

const IDLE: DeadlineState = { kind: 'idle' }

export class FrameDeadline {
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #onExpired: () => void
  readonly #look: () => void
  #state: DeadlineState = IDLE

  /** `look` is called before it expires: it takes what has arrived by then, which may end the deadline. */
  constructor(timeoutMs: number, clock: Clock, onExpired: () => void, look: () => void = () => undefined) {
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#onExpired = onExpired
    this.#look = look
  }

  /** A part of a frame is there, and its rest is awaited from now on. After `pause()` it goes on with what was left. */
  start(): void {
    if (this.#state.kind === 'running') return
    const leftMs = this.#state.kind === 'paused' ? this.#state.leftMs : this.#timeoutMs
    const onTimer = (): void => {
      // Timers come before messages and reads: what has arrived meanwhile counts.
      this.#clock.nextTurn(() => {
        if (this.#state === running) this.#look()
        if (this.#state !== running) return
        this.#state = IDLE
        this.#onExpired()
      })
    }
    const cancel = this.#clock.setTimer(onTimer, leftMs, { keepsAlive: false })
    const running: DeadlineState = { kind: 'running', cancel, dueAt: this.#clock.now() + leftMs }
    this.#state = running
  }

  /** The rest is not awaited for the time being. */
  pause(): void {
    if (this.#state.kind !== 'running') return
    this.#state.cancel()
    this.#state = { kind: 'paused', leftMs: Math.max(0, this.#state.dueAt - this.#clock.now()) }
  }

  /** The frame is complete, or nothing more will come: the next one has all of the time. */
  end(): void {
    if (this.#state.kind === 'running') this.#state.cancel()
    this.#state = IDLE
  }
}
