/**
 * Decides whether a reply is spun for or slept for, by what each has brought on this machine lately.
 *
 * Spinning wins while a CPU is free for it (it saves a wake-up) and loses as soon as it takes that CPU away from
 * whoever would answer. No figure tells this in advance, so both are measured: the mean time from send to reply of
 * the mode in use, and that of the other mode from short trials. Trials are rare enough (0.4 % of replies) not to
 * show in the 99th percentile; one comes early when the mode in use has become worse than the other was.
 */

/** Replies between two trials of the other mode. */
const TRIAL_EVERY = 4096
/** Replies before the first trial, and between a trial and one that comes early. */
const TRIAL_SOONEST = 1024
const TRIAL_REPLIES = 16
/** The first replies of a trial still feel the mode before. */
const TRIAL_IGNORED = 2
/** Weight of one trial in the mean of its mode: a few replies cannot show a tail that makes one in fifty slow. */
const TRIAL_WEIGHT = 0.3
/** The other mode must be so much better before it is taken. */
const MARGIN = 1.25
/** Weight of one reply in the running mean. */
const WEIGHT = 1 / 64
/** Longer replies say nothing about waking: somebody was computing. */
const LONGEST_MS = 4

type Mode = 'spin' | 'sleep'
type State =
  | { readonly kind: 'using'; readonly mode: Mode; replies: number }
  | { readonly kind: 'trying'; readonly mode: Mode; replies: number; sum: number }

export class SpinChooser {
  #state: State = { kind: 'using', mode: 'spin', replies: TRIAL_EVERY - TRIAL_SOONEST }
  /** Mean milliseconds from send to reply; undefined: never measured. */
  readonly #means: Record<Mode, number | undefined> = { spin: undefined, sleep: undefined }

  get spins(): boolean {
    return this.#state.mode === 'spin'
  }

  /** A reply has come `ms` after its send, having been spun for or not. */
  record(spun: boolean, ms: number): void {
    const state = this.#state
    // A reply to a send from before a change of mode.
    if (spun !== (state.mode === 'spin')) return
    const sample = Math.min(ms, LONGEST_MS)
    state.replies++
    if (state.kind === 'using') this.#use(state, sample)
    else this.#try(state, sample)
  }

  #use(state: State & { kind: 'using' }, sample: number): void {
    const mean = this.#means[state.mode]
    const now = mean === undefined ? sample : mean + (sample - mean) * WEIGHT
    this.#means[state.mode] = now
    const other = this.#means[opposite(state.mode)]
    const overtaken = other !== undefined && now > other * MARGIN && state.replies >= TRIAL_SOONEST
    if (state.replies >= TRIAL_EVERY || overtaken) {
      this.#state = { kind: 'trying', mode: opposite(state.mode), replies: 0, sum: 0 }
    }
  }

  #try(state: State & { kind: 'trying' }, sample: number): void {
    if (state.replies > TRIAL_IGNORED) state.sum += sample
    if (state.replies < TRIAL_REPLIES) return
    const tried = state.sum / (TRIAL_REPLIES - TRIAL_IGNORED)
    const old = this.#means[state.mode]
    const mean = old === undefined ? tried : old + (tried - old) * TRIAL_WEIGHT
    this.#means[state.mode] = mean
    const before = this.#means[opposite(state.mode)]
    const better = before !== undefined && mean * MARGIN < before
    this.#state = { kind: 'using', mode: better ? state.mode : opposite(state.mode), replies: 0 }
  }
}

function opposite(mode: Mode): Mode {
  return mode === 'spin' ? 'sleep' : 'spin'
}
