/**
 * Finds a shard that is stuck rather than dead: it holds its connections and answers no call. While it has work from
 * main that it has not taken up, or main does itself what shows nothing of the shard, a probe is sent each `timeoutMs`;
 * one that is not answered within as long again means that the shard's event loop does not turn. An idle engine arms no
 * timer, unless the shard runs modules of the host: then a probe follows the other.
 *
 * A timer that is late says that main was stalled, or the whole process was stopped: then the shard may have had no
 * chance either, and the probe begins anew. An answer may be in the queue behind the timer, so one turn of main's event
 * loop goes by before the verdict. Then the shard is asked what it is doing, which takes a moment: if it answers the
 * probe after all, it is alive.
 */
import type { Clock } from '../protocol/clock.js'
import type { Activity } from './running-stack.js'

export interface WatchedShard {
  /** Work that main has handed over and the shard has not taken up. */
  hasUntakenWork(): boolean
  /** Resolves when the shard's event loop has turned. May stay pending forever. */
  probe(): Promise<void>
  /** Resolves soon, whatever the shard is doing, with what that is. */
  examine(): Promise<Activity>
  onStuck(activity: Activity): void
}

interface Probing {
  readonly kind: 'probing'
  readonly cancel: () => void
  answered: boolean
}

type State =
  | { readonly kind: 'resting' }
  | { readonly kind: 'watching'; readonly cancel: () => void }
  | Probing
  /** The probe has had its time. */
  | { readonly kind: 'examining' }
  | { readonly kind: 'ended' }

const RESTING: State = { kind: 'resting' }

/** How late a timer may be: a share of its time, and at least so many milliseconds. */
const LATE_SHARE = 0.1
const LATE_LEAST_MS = 50

export class Watchdog {
  readonly #shard: WatchedShard
  readonly #timeoutMs: number
  readonly #clock: Clock
  #state: State = RESTING
  /** What main did since the last probe does not show whether the shard turns. */
  #isUnseen = false
  #watchesHandlers = false

  constructor(shard: WatchedShard, timeoutMs: number, clock: Clock) {
    this.#shard = shard
    this.#timeoutMs = timeoutMs
    this.#clock = clock
  }

  /** Main has handed the shard a piece of work. Called for each one, so it is mostly a single comparison. */
  touch(): void {
    if (this.#state === RESTING) this.#watch()
  }

  /** Main has done itself what the shard might have done, and the peer's answer needs the shard. */
  touchUnseen(): void {
    this.#isUnseen = true
    this.touch()
  }

  /** `on`: from here on the shard is probed whether or not main wants anything of it. */
  watchHandlers(on: boolean): void {
    this.#watchesHandlers = on
    if (on) this.touch()
  }

  end(): void {
    if (this.#state.kind === 'watching' || this.#state.kind === 'probing') this.#state.cancel()
    this.#state = { kind: 'ended' }
  }

  #watch(): void {
    this.#state = {
      kind: 'watching',
      cancel: this.#clock.setTimer(
        () => {
          if (this.#isUnseen || this.#watchesHandlers || this.#shard.hasUntakenWork()) this.#probe()
          else this.#state = RESTING
        },
        this.#timeoutMs,
        { keepsAlive: false },
      ),
    }
  }

  #probe(): void {
    this.#isUnseen = false
    const sentAt = this.#clock.now()
    const cancel = this.#clock.setTimer(
      () => {
        this.#clock.nextTurn(() => {
          if (this.#state !== probing) return
          const lateMs = this.#clock.now() - sentAt - this.#timeoutMs
          const late = lateMs > Math.max(LATE_LEAST_MS, this.#timeoutMs * LATE_SHARE)
          if (probing.answered || late) this.#goOn()
          else void this.#examine(probing)
        })
      },
      this.#timeoutMs,
      { keepsAlive: false },
    )
    const probing: Probing = { kind: 'probing', cancel, answered: false }
    this.#state = probing
    const answer = (): void => {
      probing.answered = true
    }
    // A rejection is an answer too: the shard is dead, which is handled elsewhere.
    this.#shard.probe().then(answer, answer)
  }

  async #examine(probe: Probing): Promise<void> {
    const examining: State = { kind: 'examining' }
    this.#state = examining
    const activity = await this.#shard.examine()
    this.#clock.nextTurn(() => {
      if (this.#state !== examining) return
      if (probe.answered) {
        this.#goOn()
        return
      }
      this.#state = { kind: 'ended' }
      this.#shard.onStuck(activity)
    })
  }

  #goOn(): void {
    if (this.#watchesHandlers) this.#probe()
    else this.#watch()
  }
}
